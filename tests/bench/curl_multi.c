/*
 * curl_multi.c - the fastest that libcurl can send: bodies made beforehand, connections kept, nothing decoded.
 *
 *   curl_multi URL BODIES IN_FLIGHT
 *
 * BODIES has one request body a line. Prints the seconds for all of them and the median latency in milliseconds.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Body
{
	char *text;
	long len;
	double started;
	double latency;
} Body;

static Body *bodies;
static int nbodies;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
fail(const char *what)
{
	fprintf(stderr, "curl_multi: %s\n", what);
	exit(1);
}

/* One body a line, the file's end closes the last. */
static void
read_bodies(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (file == NULL)
		fail(path);
	while ((len = getline(&line, &size, file)) > 0)
	{
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		bodies = realloc(bodies, (nbodies + 1) * sizeof(Body));
		bodies[nbodies++] = (Body){.text = line, .len = len};
		line = NULL;
		size = 0;
	}
	fclose(file);
}

static size_t
ignore(char *data, size_t size, size_t n, void *arg)
{
	(void) data;
	(void) arg;
	return size * n;
}

static CURL *
make_handle(const char *url, struct curl_slist *headers)
{
	CURL *easy = curl_easy_init();

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	return easy;
}

static void
send_body(CURLM *multi, CURL *easy, Body *body)
{
	body->started = now();
	curl_easy_setopt(easy, CURLOPT_PRIVATE, body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->text);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, body->len);
	curl_multi_add_handle(multi, easy);
}

/* Take in an answer and send the next body with its handle; how many answers came. */
static int
collect(CURLM *multi, int *next)
{
	CURLMsg *msg;
	int left;
	int done = 0;

	while ((msg = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL *easy = msg->easy_handle;
		Body *body;
		long status;

		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &body);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (msg->data.result != CURLE_OK || status != 200)
			fail("a request failed");
		body->latency = now() - body->started;
		done++;
		curl_multi_remove_handle(multi, easy);
		if (*next < nbodies)
			send_body(multi, easy, &bodies[(*next)++]);
		else
			curl_easy_cleanup(easy);
	}
	return done;
}

static int
by_latency(const void *a, const void *b)
{
	double d = ((const Body *) a)->latency - ((const Body *) b)->latency;

	return (d > 0) - (d < 0);
}

int
main(int argc, char **argv)
{
	CURLM *multi;
	struct curl_slist *headers;
	int in_flight, next = 0, done = 0, running;
	double start;

	if (argc != 4)
		fail("usage: curl_multi URL BODIES IN_FLIGHT");
	read_bodies(argv[2]);
	in_flight = atoi(argv[3]);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");

	start = now();
	while (next < in_flight && next < nbodies)
		send_body(multi, make_handle(argv[1], headers), &bodies[next++]);
	while (done < nbodies)
	{
		curl_multi_perform(multi, &running);
		done += collect(multi, &next);
		if (done < nbodies)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	printf("%.6f", now() - start);
	qsort(bodies, nbodies, sizeof(Body), by_latency);
	printf(" %.6f\n", bodies[nbodies / 2].latency * 1000);
	return 0;
}
