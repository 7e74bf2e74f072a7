import Glibc
import Synchronization

/// Notes Ctrl-C and requests to end, so that a command can stop at a good place.
///
/// The first signal is noted; a second one ends the process at once.
enum Interruption {
    private static let count = Atomic(0)

    static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

    /// From now on signals are noted instead of ending the process.
    static func watch() {
        // Whoever started the process may have blocked them.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        sigprocmask(SIG_UNBLOCK, &signals, nil)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                if Interruption.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            }
        }
    }
}
