/* What plain dlopen makes of the loop of `peers.rs`: CALLERS threads call a library under a lock for reading, while one
 * thread replaces it RELOADS times, taking the lock for writing. Prints microseconds, and how many answers were of a
 * generation that had been replaced before the call began.
 * Usage: dlopen CALLERS RELOADS first.so second.so place.so */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 1 << 16 };

static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static int (*answer)(void);
static atomic_int current, over;
static atomic_long calls, stale;

struct caller {
	pthread_t thread;
	double times[SAMPLES];
	int count;
};

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

static void *call(void *argument)
{
	struct caller *own = argument;
	while (!atomic_load(&over)) {
		double began = now();
		pthread_rwlock_rdlock(&gate);
		int wanted = atomic_load(&current);
		int got = answer();
		pthread_rwlock_unlock(&gate);
		if (own->count < SAMPLES)
			own->times[own->count++] = now() - began;
		atomic_fetch_add(&calls, 1);
		if (got != wanted)
			atomic_fetch_add(&stale, 1);
		usleep(2000);
	}
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int replace(const char *from, const char *place)
{
	char command[4096];
	snprintf(command, sizeof command, "%s.new", place);
	FILE *in = fopen(from, "rb"), *out = fopen(command, "wb");
	if (!in || !out)
		return -1;
	for (int byte; (byte = getc(in)) != EOF;)
		putc(byte, out);
	fclose(in);
	fclose(out);
	return rename(command, place);
}

int main(int count, char **arguments)
{
	if (count != 6)
		return 64;
	int callers = atoi(arguments[1]), reloads = atoi(arguments[2]);
	const char *place = arguments[5];
	struct caller *all = calloc(callers, sizeof *all);
	double *times = calloc(reloads, sizeof *times);
	if (replace(arguments[3], place))
		return 74;
	void *library = dlopen(place, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return 1;
	answer = (int (*)(void))dlsym(library, "answer");
	atomic_store(&current, answer());
	for (int at = 0; at < callers; at++)
		pthread_create(&all[at].thread, NULL, call, &all[at]);
	for (int at = 0; at < reloads; at++) {
		if (replace(arguments[at % 2 ? 3 : 4], place))
			return 74;
		double began = now();
		pthread_rwlock_wrlock(&gate);
		dlclose(library);
		library = dlopen(place, RTLD_NOW | RTLD_LOCAL);
		if (!library)
			return 1;
		answer = (int (*)(void))dlsym(library, "answer");
		/* What the file holds, whatever the library answers. */
		atomic_store(&current, at % 2 ? 1 : 2);
		pthread_rwlock_unlock(&gate);
		times[at] = now() - began;
		usleep(1000);
	}
	atomic_store(&over, 1);
	static double joined[SAMPLES * 64];
	int total = 0;
	for (int at = 0; at < callers; at++) {
		pthread_join(all[at].thread, NULL);
		for (int own = 0; own < all[at].count && total < SAMPLES * 64; own++)
			joined[total++] = all[at].times[own];
	}
	qsort(joined, total, sizeof *joined, ascending);
	qsort(times, reloads, sizeof *times, ascending);
	printf("%.1f %.1f %.1f %ld %ld\n", times[reloads / 2], joined[total / 2], joined[(int)(total * 0.99)],
	       (long)calls, (long)stale);
	return 0;
}
