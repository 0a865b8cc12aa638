/*
 * http.c - this backend's HTTP engine: one curl multi handle, driven from PostgreSQL's wait loop.
 *
 * libcurl tells which sockets it watches (CURLMOPT_SOCKETFUNCTION); they go into an epoll set of our own. That set is
 * one descriptor, which stands beside the latch and the postmaster's death in one WaitEventSet made once: waiting costs
 * one system call however many requests are in flight, and cancel, statement_timeout and shutdown act at once.
 *
 * Every call into libcurl runs with signals blocked, because its resolver makes threads and those inherit the mask: a
 * signal must never be delivered to a thread that is not PostgreSQL's.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "transport/http.h"
#include "transport/pin.h"
#include "utils/memutils.h"

/* Idle connections that outlive their request. */
#define MAX_IDLE_CONNECTIONS 64

/* Idle transfers (an easy handle each) that are kept. */
#define MAX_IDLE_TRANSFERS 64

#define EVENTS_AT_ONCE 64

/* libcurl's buffers: most bodies go out, and most replies come in, by one system call. */
#define UPLOAD_BUFFER (512L * 1024)
#define DOWNLOAD_BUFFER (128L * 1024)

/* Longer than this without a look at the network, and time-outs are our own doing. */
#define STALL_US (1000 * 1000)

/* Rounds of work that libcurl wants "now" before the caller gets control back. */
#define MAX_TIMER_ROUNDS 16

static CURLM *multi;
static CURLSH *share;
static int epoll_fd = -1;
static WaitEventSet *wait_set;
static uint32 wait_event;
static sigset_t all_signals;
static slist_head idle_transfers = SLIST_STATIC_INIT(idle_transfers);
static int idle_count;
static slist_head finished_transfers = SLIST_STATIC_INIT(finished_transfers);
static int on_wire_count;
static int64 timer_due_at = -1; /* us; -1: libcurl wants no timer */
static int64 last_driven_at;
static char *system_ca_file; /* what libcurl was built to trust */
static char *system_ca_path;

int64
mls_http_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
block_signals(sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, &all_signals, saved);
}

static void
restore_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* CURLMOPT_SOCKETFUNCTION: keep the epoll set as libcurl wants it. */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		/* Fails when the descriptor was closed already, which took it out. */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.data.fd = fd;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION */
static int
set_timer(CURLM *handle, long timeout_ms, void *arg)
{
	timer_due_at = timeout_ms < 0 ? -1 : mls_http_now() + timeout_ms * 1000;
	return 0;
}

/* The IPv4 address that an IPv6 one stands for: mapped, compatible, by NAT64 or 6to4; 0 for none. In host order. */
static uint32
embedded_ipv4(const struct in6_addr *ipv6)
{
	static const uint8 nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const uint8 six_to_four[2] = {0x20, 0x02};
	int offset = 12;
	uint32 ipv4;

	if (memcmp(ipv6, six_to_four, sizeof(six_to_four)) == 0)
		offset = 2;
	else if (!IN6_IS_ADDR_V4MAPPED(ipv6) && !IN6_IS_ADDR_V4COMPAT(ipv6) && memcmp(ipv6, nat64, sizeof(nat64)) != 0)
		return 0;
	memcpy(&ipv4, &ipv6->s6_addr[offset], sizeof(ipv4));
	return ntohl(ipv4);
}

/*
 * Cloud metadata services hand out credentials to whoever asks: no request of a user goes there. They have link-local
 * addresses, and a few others: Azure's 168.63.129.16, Alibaba's 100.100.100.200, fd00:ec2::/32 and fd20:ce::254.
 */
bool
mls_http_forbids(const struct sockaddr *address)
{
	static const uint8 aws[4] = {0xfd, 0x00, 0x0e, 0xc2};
	static const struct in6_addr google = {{{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}}};
	uint32 ipv4;

	if (address->sa_family == AF_INET)
		ipv4 = ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr);
	else if (address->sa_family == AF_INET6)
	{
		const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *) address)->sin6_addr;

		if (IN6_IS_ADDR_LINKLOCAL(ipv6) || memcmp(ipv6, aws, sizeof(aws)) == 0 ||
			memcmp(ipv6, &google, sizeof(google)) == 0)
			return true;
		ipv4 = embedded_ipv4(ipv6);
	}
	else
		return false;
	return ipv4 >> 16 == 0xA9FE || ipv4 == 0xA83F8110 || ipv4 == 0x646464C8;
}

/* CURLOPT_OPENSOCKETFUNCTION: after name resolution, so that no DNS answer leads to a forbidden address. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	MlsTransfer *transfer = arg;

	if (!transfer->of_this_machine && mls_http_forbids(&address->addr))
	{
		transfer->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void
make_wait_set(void)
{
	wait_set = MlsCreateWaitEventSet(3);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, epoll_fd, NULL, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
}

/* Make the engine at the first request; each step can be repeated after an error. */
static void
ensure_engine(void)
{
	if (multi != NULL)
		return;

	sigfillset(&all_signals);
	wait_event = WaitEventExtensionNew("MlScoreRequest");
	if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		ereport(ERROR, (errcode(ERRCODE_FDW_ERROR), errmsg("could not initialize libcurl")));
	if (epoll_fd < 0)
	{
		if (!AcquireExternalFD())
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
							errmsg("could not make an epoll set: too many files are open in this backend")));
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_fd < 0)
		{
			ReleaseExternalFD();
			ereport(ERROR, (errcode_for_socket_access(), errmsg("could not make an epoll set: %m")));
		}
	}
	if (wait_set == NULL)
		make_wait_set();
	if (share == NULL)
	{
		share = curl_share_init();
		if (share != NULL)
			curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	}
	multi = curl_multi_init();
	if (share == NULL || multi == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) MAX_IDLE_CONNECTIONS);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
}

/* The options that are the same for every request, once per easy handle. */
static void
set_fixed_options(MlsTransfer *transfer)
{
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_SHARE, share);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a cancel does not wait for a name server */
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reply.error);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, mls_reply_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, mls_reply_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 60L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 30L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, DOWNLOAD_BUFFER);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "169.254.169.254");
}

/* Keep what a fresh handle trusts, so that a server's ca_file can be taken back. */
static void
note_system_ca(CURL *easy)
{
	static bool noted = false;
	char *value = NULL;

	if (noted)
		return;
	if (curl_easy_getinfo(easy, CURLINFO_CAINFO, &value) == CURLE_OK && value != NULL)
		system_ca_file = MemoryContextStrdup(TopMemoryContext, value);
	value = NULL;
	if (curl_easy_getinfo(easy, CURLINFO_CAPATH, &value) == CURLE_OK && value != NULL)
		system_ca_path = MemoryContextStrdup(TopMemoryContext, value);
	noted = true;
}

/* An idle transfer, or a new one. */
static MlsTransfer *
take_transfer(void)
{
	MlsTransfer *transfer;

	if (!slist_is_empty(&idle_transfers))
	{
		transfer = slist_container(MlsTransfer, node, slist_pop_head_node(&idle_transfers));
		idle_count--;
		return transfer;
	}

	transfer = MemoryContextAllocZero(TopMemoryContext, sizeof(MlsTransfer));
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
	{
		pfree(transfer);
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	ReserveExternalFD(); /* about one connection a handle */
	mls_reply_reset(transfer);
	note_system_ca(transfer->easy);
	set_fixed_options(transfer);
	return transfer;
}

/* What is sent, with what method. All of it is set each time: the handle had another request before. */
static CURLcode
set_method(CURL *easy, const MlsHttpRequest *request)
{
	bool get = strcmp(request->method, "GET") == 0;
	bool post = strcmp(request->method, "POST") == 0;
	bool head = strcmp(request->method, "HEAD") == 0;

	/* HTTPGET takes NOBODY back. */
	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (head)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (!get && (request->body != NULL || strcmp(request->method, "DELETE") != 0))
	{
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->len);
	}
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, get || post || head ? NULL : request->method);
}

/*
 * The options that a server or a request has a say in. All of them are set each time, so that nothing of one user's
 * request is left over for the next; libcurl itself keeps connections apart by what makes them differ (CA file, proxy).
 */
static CURLcode
set_request_options(MlsTransfer *transfer, const MlsHttpRequest *request)
{
	CURL *easy = transfer->easy;
	const MlsServer *server = request->server;
	CURLcode code;

	transfer->body_limit = (size_t) mls_max_response_size * 1024;
	transfer->keep_headers = request->keep_headers;
	transfer->of_this_machine = request->of_this_machine;
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) server->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->fresh_connection || request->thumbprint != NULL ? 1L : 0L);

	/* Several requests at once to an HTTP/2 endpoint wait for the first one's connection and share it. */
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, pg_strncasecmp(request->url, "https:", 6) == 0 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);

	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, request->thumbprint != NULL ? mls_pin_certificate : NULL);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, unconstify(char *, request->thumbprint));
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, request->thumbprint != NULL ? 0L : 2L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, request->thumbprint != NULL ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, request->thumbprint != NULL ? 1L : 0L);

	/* These copy their argument, so they can run out of memory; "" means none, not the environment's. */
	code = set_method(easy, request);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROXY,
								server->proxy != NULL && !request->of_this_machine ? server->proxy : "");
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, server->compression ? "gzip" : NULL);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file != NULL ? server->ca_file : system_ca_file);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_CAPATH, server->ca_file != NULL ? NULL : system_ca_path);
	return code;
}

/* Take ended transfers from libcurl. Signals are blocked. */
static void
collect_finished(int64 stalled_since)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		MlsTransfer *transfer = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &transfer);
		curl_multi_remove_handle(multi, transfer->easy);
		transfer->on_wire = false;
		on_wire_count--;
		mls_reply_finish(transfer, code);
		slist_push_head(&finished_transfers, &transfer->node);
		transfer->reply.stalled = code == CURLE_OPERATION_TIMEDOUT && transfer->started_at <= stalled_since;
	}
}

/* libcurl's timers, those that come due at once included. Signals are blocked. */
static void
run_timers(void)
{
	int running;

	for (int round = 0; round < MAX_TIMER_ROUNDS && timer_due_at >= 0 && timer_due_at <= mls_http_now(); round++)
	{
		timer_due_at = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

MlsTransfer *
mls_http_start(const MlsHttpRequest *request, void *owner)
{
	MlsTransfer *transfer;
	sigset_t saved;
	CURLcode code;

	ensure_engine();
	transfer = take_transfer();
	transfer->owner = owner;
	transfer->started_at = mls_http_now();

	block_signals(&saved);
	code = set_request_options(transfer, request);
	if (code == CURLE_OK && curl_multi_add_handle(multi, transfer->easy) != CURLM_OK)
		code = CURLE_FAILED_INIT;
	if (code == CURLE_OK)
	{
		transfer->on_wire = true;
		if (on_wire_count++ == 0)
			last_driven_at = transfer->started_at;
		run_timers(); /* on a warm connection this sends the request */
		collect_finished(-1);
	}
	else
	{
		transfer->reply.wire = MLS_WIRE_LOCAL;
		strlcpy(transfer->reply.error, curl_easy_strerror(code), sizeof(transfer->reply.error));
		slist_push_head(&finished_transfers, &transfer->node);
	}
	restore_signals(&saved);
	return transfer;
}

/* Is transfer among the finished that nobody asked for yet? If so take it out. */
static void
forget_finished(MlsTransfer *transfer)
{
	slist_mutable_iter iter;

	slist_foreach_modify(iter, &finished_transfers)
	{
		if (iter.cur == &transfer->node)
			slist_delete_current(&iter);
	}
}

void
mls_http_release(MlsTransfer *transfer)
{
	sigset_t saved;

	forget_finished(transfer);
	block_signals(&saved);
	if (transfer->on_wire)
	{
		curl_multi_remove_handle(multi, transfer->easy);
		transfer->on_wire = false;
		on_wire_count--;
	}

	/* What was pointed to goes away, credentials first of all. */
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, NULL);
	if (idle_count >= MAX_IDLE_TRANSFERS)
	{
		curl_easy_cleanup(transfer->easy);
		restore_signals(&saved);
		free(transfer->reply.body);
		free(transfer->reply.headers);
		pfree(transfer);
		ReleaseExternalFD();
		return;
	}
	restore_signals(&saved);
	transfer->owner = NULL;
	mls_reply_reset(transfer);
	slist_push_head(&idle_transfers, &transfer->node);
	idle_count++;
}

void
mls_http_drive(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int64 now;
	int64 stalled_since = -1;
	int running;
	int n;
	sigset_t saved;

	if (on_wire_count == 0)
		return;

	now = mls_http_now();
	if (now - last_driven_at > STALL_US)
		stalled_since = last_driven_at;
	last_driven_at = now;
	n = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, 0);
	if (n <= 0 && (timer_due_at < 0 || timer_due_at > now))
		return;

	block_signals(&saved);
	for (int i = 0; i < n; i++)
	{
		int mask = 0;

		if (events[i].events & (EPOLLIN | EPOLLHUP))
			mask |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		if (events[i].events & EPOLLERR)
			mask |= CURL_CSELECT_ERR;
		curl_multi_socket_action(multi, events[i].data.fd, mask, &running);
	}
	run_timers();
	collect_finished(stalled_since);
	restore_signals(&saved);
}

MlsTransfer *
mls_http_next_finished(void)
{
	if (slist_is_empty(&finished_transfers))
		return NULL;
	return slist_container(MlsTransfer, node, slist_pop_head_node(&finished_transfers));
}

bool
mls_http_has_finished(void)
{
	return !slist_is_empty(&finished_transfers);
}

void
mls_http_wait(long timeout_ms)
{
	WaitEvent event;

	ensure_engine();
	CHECK_FOR_INTERRUPTS();
	if (on_wire_count > 0 && timer_due_at >= 0)
	{
		/* Rounded up: a wake-up before the timer is due would spin. */
		long timer_ms = (long) Max((timer_due_at - mls_http_now() + 999) / 1000, 0);

		timeout_ms = timeout_ms < 0 ? timer_ms : Min(timeout_ms, timer_ms);
	}
	if (WaitEventSetWait(wait_set, timeout_ms, &event, 1, wait_event) > 0 && (event.events & WL_LATCH_SET))
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	last_driven_at = Max(last_driven_at, mls_http_now() - STALL_US / 2);
	mls_http_drive();
}

/* Do both URLs agree in this part? */
static bool
same_part(CURLU *url, CURLU *other, CURLUPart part)
{
	char *a = NULL;
	char *b = NULL;
	bool same = curl_url_get(url, part, &a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
				curl_url_get(other, part, &b, CURLU_DEFAULT_PORT) == CURLUE_OK && pg_strcasecmp(a, b) == 0;

	curl_free(a);
	curl_free(b);
	return same;
}

bool
mls_http_same_origin(const char *url, const char *other)
{
	CURLU *a = curl_url();
	CURLU *b = curl_url();
	bool same = a != NULL && b != NULL && curl_url_set(a, CURLUPART_URL, url, 0) == CURLUE_OK &&
				curl_url_set(b, CURLUPART_URL, other, 0) == CURLUE_OK && same_part(a, b, CURLUPART_SCHEME) &&
				same_part(a, b, CURLUPART_HOST) && same_part(a, b, CURLUPART_PORT);

	curl_url_cleanup(a);
	curl_url_cleanup(b);
	return same;
}
