/*
 * option_table.h - the list of options and what a value of each is, for the files that read and check them; others
 * include option.h.
 */
#ifndef MLS_OPTION_TABLE_H
#define MLS_OPTION_TABLE_H

#include "catalog/option.h"

/* What an option's value is, and by that the type of its field in MlsServer. */
typedef enum MlsOptionKind
{
	MLS_KIND_COUNT,			 /* int */
	MLS_KIND_AUTO_OR_COUNT,	 /* int, MLS_AUTO for 'auto' */
	MLS_KIND_REAL,			 /* double */
	MLS_KIND_DURATION,		 /* int, ms */
	MLS_KIND_MINUTES,		 /* int, min: for times that are long */
	MLS_KIND_SIZE,			 /* int, bytes */
	MLS_KIND_ENUM,			 /* an enum */
	MLS_KIND_URL,			 /* char *, where requests go */
	MLS_KIND_PROXY_URL,		 /* char * */
	MLS_KIND_FILE,			 /* char *, an absolute path */
	MLS_KIND_TEMPLATE,		 /* char *, a URI with names in braces */
	MLS_KIND_BROKERS,		 /* char *, host:port, comma-separated */
	MLS_KIND_PROPERTY,		 /* one of librdkafka's; the name is "kafka." and its name */
	MLS_KIND_WORKSPACE,		 /* char *, the ARM id of a workspace */
	MLS_KIND_TABLE,			 /* char *, schema.table */
	MLS_KIND_FUNCTION_RATES, /* char *, schema.function=0.1, comma-separated */
	MLS_KIND_TEXT,			 /* char *, goes into an HTTP header */
	MLS_KIND_NAME,			 /* char *, letters, digits, ".", "-" */
	MLS_KIND_SCOPE,			 /* char *, of a token */
	MLS_KIND_ARM_ID,		 /* char *, of an online endpoint */
	MLS_KIND_SECRET,		 /* char *, goes into an HTTP header and is never shown; or where it is to be found */
	MLS_KIND_PEM			 /* same, with line breaks */
} MlsOptionKind;

typedef struct MlsOptionWord
{
	const char *name;
	int value;
} MlsOptionWord;

typedef struct MlsOption
{
	const char *name;
	MlsOptionPlace place;
	unsigned types; /* bits of MlsServerType */
	MlsOptionKind kind;
	double min; /* of numbers */
	double max;
	const MlsOptionWord *words; /* of enums */
	bool superuser_only;
	size_t offset; /* of the field in MlsServer; a mapping's options have none */
} MlsOption;

#define MLS_PROPERTY_PREFIX "kafka."
#define MLS_OPTION_MAX_COUNT 1000000
#define MLS_AUTH_BIT(auth) (1U << (auth))

/* What a type of servers needs and takes, in the order of MlsServerType. */
typedef struct MlsTypeRule
{
	const char *name;
	const char *needed; /* the option that must be given */
	const char *needed_hint;
	const char *alternative; /* an option that makes up for it, or NULL */
	unsigned auths;			 /* bits of MlsAuth */
} MlsTypeRule;

extern const MlsTypeRule mls_type_rules[];
extern const MlsOptionWord mls_auth_words[];
extern const MlsOptionWord mls_credential_words[];

/* The options in their order; NULL past the last. */
extern const MlsOption *mls_option_at(int i);

/* The option of this name, or NULL. */
extern const MlsOption *mls_option_find(const char *name);

/* The word that name is, whatever its letter case; NULL when it is none of words. */
extern const MlsOptionWord *mls_option_find_word(const MlsOptionWord *words, const char *name);

/* "'none'", ...: the auths that servers of these types (bits of MlsServerType) can have; palloc'd. */
extern char *mls_option_list_auths(unsigned types);

/* The word that stands for value. */
extern const char *mls_option_word(const MlsOptionWord *words, int value);

/* "'one'", "'two'", ...: for hints. palloc'd. */
extern char *mls_option_list_words(const MlsOptionWord *words);

/* The options that may stand at place on servers of these types, comma-separated; "" when there are none. palloc'd. */
extern char *mls_option_list(MlsOptionPlace place, unsigned types);

/* An option's value, parsed; which member holds depends on its kind. */
typedef struct MlsOptionValue
{
	int number;
	double real;
	char *text;
} MlsOptionValue;

/* option_value.c: parse and check value; raises when it is malformed. The text points into value. */
extern MlsOptionValue mls_option_parse(const MlsOption *option, char *value);

/* Raise about an option's value; expected is a whole sentence. */
pg_noreturn extern void mls_option_raise_value(const MlsOption *option, const char *value, const char *expected);

#endif
