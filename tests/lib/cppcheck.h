/*
 * cppcheck.h - what cppcheck, which sees none of PostgreSQL's headers, must know of them to follow the code.
 */
#define DEBUG1 14
#define LOG 15
#define NOTICE 18
#define WARNING 19
#define ERROR 21
#define elog(level, ...) \
	do \
	{ \
		if ((level) >= ERROR) \
			abort(); \
	} while (0)
#define ereport(level, ...) elog(level, __VA_ARGS__)
#define foreach(cell, list) for (cell = list_head(list); cell != NULL; cell = lnext(list, cell))
