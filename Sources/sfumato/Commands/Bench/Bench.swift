import ArgumentParser

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the machine and the models on it.",
        discussion: """
            Examples:
              sfumato bench
              sfumato bench configs/cifar10-dico.yaml --threads 1 --json
              sfumato bench attention
              sfumato bench scaling --plots outputs/scaling
              sfumato bench startup

            Without a subcommand, times models beside the matrix-product peak, which is measured in the same run; \
            sfumato bench models --help lists its options.
            """,
        subcommands: [BenchModels.self, BenchScaling.self, BenchStartup.self, BenchPeers.self],
        defaultSubcommand: BenchModels.self)
}
