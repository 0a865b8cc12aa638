/*
 * template.h - URI templates: {account} {container} {path} {job} {sas} replaced. Pure.
 */
#ifndef MLS_TEMPLATE_H
#define MLS_TEMPLATE_H

/* What the names stand for; all as they stand in a URL, but job (a number). */
typedef struct MlsTemplateValues
{
	const char *account;
	const char *container;
	const char *path; /* percent-encoded, no slash at either end */
	int64 job;
	const char *sas; /* a query without "?"; NULL: there is none */
} MlsTemplateValues;

/* NULL when text is a template, else what is wrong with it: a whole sentence, palloc'd. */
extern char *mls_template_check(const char *text);

extern bool mls_template_uses_sas(const char *text);

/* text, which was checked, with everything replaced; palloc'd. */
extern char *mls_template_expand(const char *text, const MlsTemplateValues *values);

#endif
