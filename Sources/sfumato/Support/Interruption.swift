import Glibc
import Synchronization

/// Notes Ctrl-C and requests to end, so that a command can stop at a good place.
///
/// The first signal is noted; a second one ends the process at once. A thread that does nothing else takes the signals, and
/// those that compute have them blocked: some of oneDNN's kernels point the stack register into a buffer while they run,
/// and a signal's frame would be written over whatever lies in front of it.
enum Interruption {
    private static let count = Atomic(0)

    static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

    /// To be called before any other thread begins: threads inherit which signals reach them.
    static func prepare() {
        setBlocked(SIG_BLOCK)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { _ in
                Interruption.setBlocked(SIG_UNBLOCK)
                while true { pause() }
            }, nil)
        // Without the thread, signals have to come here.
        if status != 0 { setBlocked(SIG_UNBLOCK) }
    }

    /// From now on signals are noted instead of ending the process.
    static func watch() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                if Interruption.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            }
        }
    }

    private static func setBlocked(_ how: Int32) {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        pthread_sigmask(how, &signals, nil)
    }
}
