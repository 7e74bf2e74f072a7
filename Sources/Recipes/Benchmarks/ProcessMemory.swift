import Foundation

/// Memory of this process as the system counts it: everything resident, code and libraries included.
enum ProcessMemory {
    /// The most there ever was, in megabytes; nil where the system does not tell.
    static var peakMegabytes: Double? {
        // The file has no size of its own, so it cannot be mapped.
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(separator: " ").compactMap({ Double($0) }).first
        else { return nil }
        return kibibytes * 1024 / 1e6
    }
}
