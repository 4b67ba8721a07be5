// What a thread owes to the calls that pass through beside it: who answers a call goes before who
// writes it down, where processors are short.
//
// Thread: acts on the one that calls. Errors: none; a system that refuses leaves things as they
// are.
#pragma once

namespace invlog::storage {

// Adds to the thread's niceness, and asks for turns of the processor of 0.1 ms, the shortest that
// Linux gives (sched_setattr(2), sched_runtime of SCHED_OTHER; kernels before 6.12 ignore it). With
// the usual turn of milliseconds the answer to a call waits for a turn to end, however nice its
// owner.
void make_background_thread(int niceness);

}  // namespace invlog::storage
