/* The C program of the benchmark tasks as a server, so that its repetitions and Damo's take turns:
 *
 *   cc -O3 -march=native -I../shared/peers/c -o target/ref_server bench/ref_server.c -lm -ldl -lpthread
 *   target/ref_server TASK THREADS BATCH own|fuse|blas
 *
 * It does what ref.c does up to the check, says `ready`, and answers each line of its input:
 *   make TASK BATCH   `made LOSS`, the mean over the first 100 steps
 *   time SECONDS      nanoseconds an example, of as many steps as take about so long
 * ref.c tells its check on standard error: that is where this program takes over. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int told(const char *format, ...);
static void go(long step0, long steps);
#define main ref_main
#define fprintf(stream, ...) told(__VA_ARGS__)
#include "ref.c"
#undef fprintf
#undef main

static double since(double start) { return now() - start; }

/* Steps from *at on until about so many seconds are over: nanoseconds an example. */
static double timed(long *at, double seconds) {
  double start = now();
  go(*at, 1);
  double one = since(start);
  *at += 1;
  if (one >= seconds) return one * 1e9 / B;
  long n = (long)(seconds / (one + 1e-9));
  if (n > 20) { /* one step is too short a time to go by */
    start = now();
    go(*at, n / 10);
    *at += n / 10;
    n = (long)(seconds * (n / 10) / (since(start) + 1e-9)) + 1;
  }
  start = now();
  go(*at, n);
  *at += n;
  return since(start) * 1e9 / ((double)n * B);
}

static int told(const char *format, ...) {
  char line[256], *number;
  double seconds;
  long at = 100;
  va_list rest;
  va_start(rest, format);
  vsnprintf(line, sizeof line, format, rest);
  va_end(rest);
  if (strncmp(line, "check", 5)) {
    fputs(line, stderr);
    return 0;
  }
  number = strrchr(line, ' ') + 1;
  double loss = atof(number);
  printf("ready c=%s\n", "ref");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    if (!strncmp(line, "make", 4)) printf("made %.6f\n", loss);
    else if (sscanf(line, "time %lf", &seconds) == 1) printf("%.3f\n", timed(&at, seconds));
    else printf("error what is %s", line);
    fflush(stdout);
  }
  exit(0);
}

int main(int count, char **arguments) { return ref_main(count, arguments); }
