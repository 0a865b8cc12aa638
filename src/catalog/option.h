/*
 * option.h - the options of servers and user mappings: one table says all there is to know of each.
 */
#ifndef MLS_OPTION_H
#define MLS_OPTION_H

#include "catalog/server.h"
#include "nodes/pg_list.h"

/* Where an option may stand. */
typedef enum MlsOptionPlace
{
	MLS_OPTION_OF_SERVER,
	MLS_OPTION_OF_MAPPING
} MlsOptionPlace;

/* The server type that CREATE SERVER ... TYPE names; false when there is none of that name (or no name). */
extern bool mls_server_type_parse(const char *name, MlsServerType *type);

/* The word that names type. */
extern const char *mls_server_type_name(MlsServerType type);

/* "'online'", ...: for hints. palloc'd. */
extern char *mls_server_type_list(void);

/*
 * Read a server's options (DefElems) into server, which has its type and defaults set. Raises
 * FDW_INVALID_OPTION_NAME and INVALID_PARAMETER_VALUE. The strings point into options.
 */
extern void mls_option_read(MlsServer *server, List *options);

/* Have the texts of a server's options point to copies in the current context. */
extern void mls_option_copy_texts(MlsServer *server);

/*
 * Raise unless every option, and the value of auth, fits a server of this type, and the option that the type needs is
 * there. What the wrapper's validator cannot do, which is not told the type. name: for the message.
 */
extern void mls_option_check_type(const char *name, MlsServerType type, List *options);

/* Will nothing be done with this option of a user mapping, as server's options stand? */
extern bool mls_option_is_idle(const MlsServer *server, const char *name);

/* "The server has auth 'key'.", and its credential if there is one; palloc'd. */
extern char *mls_option_auth_words(const MlsServer *server);

/* The word of the option request_format. */
extern const char *mls_request_format_name(MlsRequestFormat format);

/* Parse "auto" or a count, as max_batch_rows takes it: MLS_AUTO or the number. False when it is neither. */
extern bool mls_option_parse_auto(const char *value, int *result);

#endif
