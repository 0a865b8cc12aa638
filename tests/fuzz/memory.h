/*
 * memory.h - palloc for fuzzing: every piece its own malloc, so that the address sanitizer sees its ends, and all of them
 * freed after each input, as a memory context would.
 */
#ifndef MLS_FUZZ_MEMORY_H
#define MLS_FUZZ_MEMORY_H

extern void free_everything(void);

#endif
