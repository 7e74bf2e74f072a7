// One OpenMP pool for everything: oneDNN brings GNU OpenMP, and these calls reach the same pool
// through libgomp's stable C interface, because this toolchain's compiler ships no OpenMP of its own.
#pragma once
#include <stdint.h>

/// Number of threads that a parallel region started by the calling thread would use.
int sfumato_thread_count(void);

/// Sets that number for the calling thread (OpenMP keeps it per thread).
void sfumato_set_thread_count(int count);

/// Calls `body(context, begin, end)` on contiguous parts of 0..<count, one part per thread. Runs on the
/// calling thread alone when `count` is below `grain` twice over, or inside another parallel region.
void sfumato_parallel_for(int64_t count, int64_t grain, void *context,
                          void (*body)(void *context, int64_t begin, int64_t end));

/// What records the steps of the calling thread, or NULL: a pointer that each thread has for itself.
void *sfumato_recorder(void);
void sfumato_set_recorder(void *recorder);
