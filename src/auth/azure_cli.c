/*
 * azure_cli.c - tokens of whoever is logged in to the Azure CLI as the server's operating system user: for development.
 *
 * The program is run without a shell, and only while ml_score.allow_azure_cli is on. Its output comes through a pipe that
 * is waited for with the latch, so that a cancel kills it.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/fetch.h"
#include "auth/token_reply.h"
#include "auth/token_table.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "ml_score.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define TIMEOUT_MS (10 * 1000)
#define MAX_OUTPUT (64 * 1024)
#define NOT_FOUND 127

/* In the child: become the program, with out as its output. */
pg_noreturn static void
become_cli(char *const argv[], int out)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
		chdir("/") != 0)
		_exit(NOT_FOUND);
	setsid(); /* what it starts is killed with it */
	execvp(argv[0], argv);
	_exit(NOT_FOUND);
}

/* Read the pipe to its end. False when that takes too long, or it is more than a reply has. May raise: a cancel. */
static bool
read_output(int fd, StringInfo output)
{
	TimestampTz give_up = GetCurrentTimestamp() + TIMEOUT_MS * INT64CONST(1000);

	for (;;)
	{
		char buf[4096];
		long left = (long) ((give_up - GetCurrentTimestamp()) / 1000);
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n > 0)
			appendBinaryStringInfo(output, buf, (int) n);
		explicit_bzero(buf, sizeof(buf));
		if (n == 0)
			return true;
		if (left <= 0 || output->len > MAX_OUTPUT || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n < 0)
		{
			(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, fd,
									 left, mls_token_wait_event());
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
	}
}

/* Run argv[0]. Its exit status, -1 when it could not be run or did not end in time. */
static int
run_cli(char *const argv[], StringInfo output)
{
	int pipe_ends[2];
	volatile bool complete = false;
	int status = -1;
	pid_t child;

	if (!AcquireExternalFD())
		return -1;
	if (pipe2(pipe_ends, O_CLOEXEC) != 0)
	{
		ReleaseExternalFD();
		return -1;
	}
	fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
	child = fork();
	if (child == 0)
		become_cli(argv, pipe_ends[1]);
	close(pipe_ends[1]);
	PG_TRY();
	{
		complete = child > 0 && read_output(pipe_ends[0], output);
	}
	PG_FINALLY();
	{
		close(pipe_ends[0]);
		ReleaseExternalFD();
		if (child > 0)
		{
			if (!complete)
			{
				kill(-child, SIGKILL); /* once it has a session of its own, with all that it started */
				kill(child, SIGKILL);
			}
			while (waitpid(child, &status, 0) < 0 && errno == EINTR)
				;
		}
	}
	PG_END_TRY();
	return complete && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The CLI's clock of the token's end is local time in its older field; the newer one counts seconds. */
static void
read_reply(const StringInfo output, MlsFetch *fetch)
{
	int64 now = (int64) time(NULL);
	MlsTokenReply reply;
	const char *problem = mls_token_reply_read(output->data, output->len, now, &reply);

	if (problem != NULL)
	{
		mls_fetch_refuse(fetch, psprintf("What the Azure CLI prints cannot be used. %s", problem),
						 "It must be of version 2.54 or later.");
		return;
	}
	memset(fetch, 0, sizeof(*fetch));
	fetch->value = reply.token;
	fetch->source = "Azure CLI";
	fetch->fetched_at = time_t_to_timestamptz((pg_time_t) now);
	fetch->expires_at = time_t_to_timestamptz((pg_time_t) reply.expires_at);
	fetch->refresh_at = time_t_to_timestamptz((pg_time_t) mls_token_reply_refresh_at(&reply, now, false));
}

bool
mls_azure_cli_allowed(MlsFetch *fetch)
{
	if (mls_allow_azure_cli)
		return true;
	mls_fetch_unavailable(fetch, pstrdup("ml_score.allow_azure_cli is off."));
	fetch->hint = "Superusers, and roles with the privilege SET on it, may set ml_score.allow_azure_cli to on.";
	return false;
}

void
mls_azure_cli_fetch(const MlsIdentity *identity, const char *scope, MlsFetch *fetch)
{
	char *argv[] = {"az",	"account", "get-access-token",		  "--output",
					"json", "--scope", unconstify(char *, scope), NULL};
	StringInfoData output;
	int status;

	if (!mls_azure_cli_allowed(fetch))
		return;
	initStringInfo(&output);
	status = run_cli(argv, &output);
	if (status == 0)
		read_reply(&output, fetch);
	else if (status == NOT_FOUND)
		mls_fetch_unavailable(fetch, pstrdup("The program az is not in the server's PATH."));
	else if (status < 0)
		mls_fetch_unavailable(fetch, pstrdup("The program az did not end in time."));
	else
		mls_fetch_unavailable(fetch, pstrdup("The program az gives no token: the server's operating system user may "
											 "have to log in with az login."));
	explicit_bzero(output.data, output.len);
}
