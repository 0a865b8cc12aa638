/*
 * scan_plan.c - the batching scan's plan node: packing what it must know into a CustomScan.
 *
 * custom_exprs holds the calls, custom_private the rest, all of it nodes, so that the plan can be copied, cached and
 * sent to parallel workers.
 */
#include "scoring/scan.h"

#include "nodes/makefuncs.h"

/* custom_private's members. */
enum
{
	PRIVATE_KEPT,
	PRIVATE_NEEDS,
	PRIVATE_LIMIT, /* list of count and offset */
	PRIVATE_READ_ALL
};

CustomScan *
mls_scan_make(Plan *child, const MlsScanSpec *spec)
{
	CustomScan *scan = makeNode(CustomScan);
	Plan *plan = &scan->scan.plan;

	plan->startup_cost = child->startup_cost;
	plan->total_cost = child->total_cost;
	plan->plan_rows = child->plan_rows;
	plan->plan_width = child->plan_width;
	plan->parallel_safe = child->parallel_safe;
	plan->lefttree = child;
	plan->extParam = bms_copy(child->extParam);
	plan->allParam = bms_copy(child->allParam);
	scan->scan.scanrelid = 0;
	scan->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	scan->methods = GetCustomScanMethods(MLS_SCAN_NAME, false);
	scan->custom_exprs = spec->calls;
	scan->custom_private = list_make4(spec->kept, spec->needs, list_make2(spec->limit_count, spec->limit_offset),
									  makeInteger(spec->read_all));
	return scan;
}

bool
mls_scan_is(const Plan *plan)
{
	return plan && IsA(plan, CustomScan) &&
		   strcmp(((const CustomScan *) plan)->methods->CustomName, MLS_SCAN_NAME) == 0;
}

void
mls_scan_set_limit(CustomScan *scan, Node *count, Node *offset)
{
	lfirst(list_nth_cell(scan->custom_private, PRIVATE_LIMIT)) = list_make2(count, offset);
}

void
mls_scan_set_read_all(CustomScan *scan)
{
	lfirst(list_nth_cell(scan->custom_private, PRIVATE_READ_ALL)) = makeInteger(1);
}

void
mls_scan_spec(const CustomScan *scan, MlsScanSpec *spec)
{
	List *limit = list_nth(scan->custom_private, PRIVATE_LIMIT);

	spec->kept = list_nth(scan->custom_private, PRIVATE_KEPT);
	spec->calls = scan->custom_exprs;
	spec->needs = list_nth(scan->custom_private, PRIVATE_NEEDS);
	spec->limit_count = linitial(limit);
	spec->limit_offset = lsecond(limit);
	spec->read_all = intVal(list_nth(scan->custom_private, PRIVATE_READ_ALL)) != 0;
}
