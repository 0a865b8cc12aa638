/*
 * log_rates.c - see log_rates.h.
 */
#include "inference/log_rates.h"

#include "access/htup_details.h"
#include "catalog/function_server.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

typedef struct Rate
{
	const char *schema;
	const char *function;
	double rate;
} Rate;

/* Cut text at the first separator that is not in a quoted name: what comes after it, or NULL. */
static char *
cut_at(char *text, char separator)
{
	bool quoted = false;

	for (; *text != '\0'; text++)
	{
		if (*text == '"')
			quoted = !quoted;
		if (*text == separator && !quoted)
		{
			*text = '\0';
			return text + 1;
		}
	}
	return NULL;
}

/* Read an entry, which is scribbled on. */
static bool
read_entry(char *entry, Rate *rate)
{
	char *number = cut_at(entry, '=');
	List *names;

	if (number == NULL || !SplitIdentifierString(entry, '.', &names) || list_length(names) != 2)
		return false;
	rate->schema = linitial(names);
	rate->function = lsecond(names);
	return parse_real(number, &rate->rate, 0, NULL) && rate->rate >= 0 && rate->rate <= 1;
}

static const Rate *
find_rate(const List *rates, const char *schema, const char *function)
{
	const ListCell *lc;

	foreach (lc, rates)
	{
		const Rate *rate = lfirst(lc);

		if (strcmp(rate->schema, schema) == 0 && strcmp(rate->function, function) == 0)
			return rate;
	}
	return NULL;
}

/* The entries of the option; NIL, and a sentence, when they are malformed. */
static List *
read_rates(const char *text, char **problem)
{
	List *rates = NIL;
	char *next;

	*problem = NULL;
	for (char *entry = pstrdup(text); entry != NULL; entry = next)
	{
		Rate *rate = palloc(sizeof(Rate));

		next = cut_at(entry, ',');
		if (!read_entry(entry, rate))
			*problem = "The value must be a list such as 'public.price=0.1, public.churn=1', with numbers from 0 to 1.";
		else if (find_rate(rates, rate->schema, rate->function) != NULL)
			*problem =
				psprintf("It names the function %s twice.", quote_qualified_identifier(rate->schema, rate->function));
		if (*problem != NULL)
			return NIL;
		rates = lappend(rates, rate);
	}
	return rates;
}

char *
mls_log_rates_problem(const char *rates)
{
	char *problem;

	(void) read_rates(rates, &problem);
	return problem;
}

double
mls_log_rates_of(const MlsServer *server, Oid fnoid)
{
	char *problem;
	char *schema;
	char *function;
	const Rate *rate;

	if (server->log_function_rates == NULL)
		return server->log_sample_rate;
	schema = get_namespace_name(get_func_namespace(fnoid));
	function = get_func_name(fnoid);
	if (schema == NULL || function == NULL)
		return server->log_sample_rate;
	rate = find_rate(read_rates(server->log_function_rates, &problem), schema, function);
	return rate == NULL ? server->log_sample_rate : rate->rate;
}

/* Is there a function of this name that calls the server? */
static bool
is_of_server(const Rate *rate, Oid serverid)
{
	Oid schema = get_namespace_oid(rate->schema, true);
	CatCList *functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(rate->function));
	bool found = false;

	for (int i = 0; i < functions->n_members && !found; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&functions->members[i]->tuple);

		found = form->pronamespace == schema && mls_function_server(form->oid) == serverid;
	}
	ReleaseSysCacheList(functions);
	return found;
}

void
mls_log_rates_notice(const MlsServer *server)
{
	char *problem;
	List *rates = read_rates(server->log_function_rates, &problem);
	ListCell *lc;

	foreach (lc, rates)
	{
		const Rate *rate = lfirst(lc);

		if (!is_of_server(rate, server->serverid))
			ereport(NOTICE, (errmsg("server \"%s\" has no function %s yet", server->name,
									quote_qualified_identifier(rate->schema, rate->function)),
							 errdetail("It is in the option \"log_function_rates\".")));
	}
}
