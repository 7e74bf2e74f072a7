#include "parallel.h"

// The stable C interface of libgomp; no header of it is installed with this toolchain.
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern int omp_in_parallel(void);
extern void omp_set_num_threads(int);

int sfumato_thread_count(void) { return omp_in_parallel() ? 1 : omp_get_max_threads(); }
void sfumato_set_thread_count(int count) { omp_set_num_threads(count); }

struct part {
    int64_t count;
    void *context;
    void (*body)(void *, int64_t, int64_t);
};

static void run_part(void *raw) {
    const struct part *p = raw;
    int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    int64_t begin = p->count * thread / threads, end = p->count * (thread + 1) / threads;
    if (begin < end) p->body(p->context, begin, end);
}

void sfumato_parallel_for(int64_t count, int64_t grain, void *context,
                          void (*body)(void *, int64_t, int64_t)) {
    if (count <= 0) return;
    int64_t threads = sfumato_thread_count();
    if (grain > 0 && count / grain < threads) threads = count / grain;
    if (threads <= 1) {
        body(context, 0, count);
        return;
    }
    struct part p = {count, context, body};
    GOMP_parallel(run_part, &p, (unsigned)threads, 0);
}

static _Thread_local void *recorder;

void *sfumato_recorder(void) { return recorder; }
void sfumato_set_recorder(void *next) { recorder = next; }
