import Glibc
import Synchronization

/// Notes Ctrl-C and requests to end, so that a command can stop at a good place.
///
/// The first signal is noted; a second one ends the process at once. Signals are taken by a thread of their own and never
/// reach the others: some of oneDNN's kernels point the stack register into a buffer while they run, and a signal's frame
/// would be written over whatever lies in front of it.
enum Interruption {
    private static let count = Atomic(0)
    private static let isWatching = Atomic(false)

    static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

    /// To be called before any other thread begins: threads inherit which signals reach them.
    static func prepare() {
        var signals = Self.signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { _ in
                while true { Interruption.take() }
            }, nil)
        // Without the thread, signals end the process as usual.
        if status != 0 { pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
    }

    /// From now on signals are noted instead of ending the process.
    static func watch() { isWatching.store(true, ordering: .relaxed) }

    private static var signals: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        return signals
    }

    /// Waits for one signal.
    private static func take() {
        var signals = Self.signals
        var number: Int32 = 0
        guard sigwait(&signals, &number) == 0 else { return }
        guard isWatching.load(ordering: .relaxed) else {
            // Whatever would have happened without this thread.
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            raise(number)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            return
        }
        if count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
    }
}
