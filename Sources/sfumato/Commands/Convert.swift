import Archives
import ArgumentParser
import Checkpoints
import Recipes

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rewrite weights of .pth, .pt, .mat, .npz or .safetensors as a checkpoint.",
        discussion: """
            Examples:
              sfumato convert DiCo-XL-3750K-256x256.pt dico-xl.safetensors --architecture dico-xl
              sfumato convert model/specifics/sigma=25.mat dncnn-25.safetensors
              sfumato convert diffusion_pytorch_model.bin lina.safetensors --architecture lina-c2i-d48w1536
              sfumato convert outputs/cifar10-dico cifar10.safetensors --precision bfloat16
              sfumato convert kl16.ckpt kl16.safetensors --architecture kl16-mar
              sfumato convert var_d16.pth var-d16.safetensors --architecture var-d16 \
            --tokenizer vae_ch160v4096z32.pth

            Denoisers (DnCNN, FDnCNN, FFDNet, DRUNet, NAFNet; .mat of MatConvNet's SimpleNN too) are told by their names \
            and shapes. Of a training's dictionary the averaged weights (ema) are taken. Nothing in a file is executed: what is no \
            tensor is not read. Every tensor must fit the architecture, or nothing is written.
            """)

    enum Precision: String, ExpressibleByArgument, CaseIterable {
        case float32, float16, bfloat16

        var type: StoredType {
            switch self {
            case .float32: .float32
            case .float16: .float16
            case .bfloat16: .bfloat16
            }
        }
    }

    @Argument(help: "Weights, or a run's folder.", completion: .file())
    var source: String
    @Argument(help: "The checkpoint to write.", completion: .file(extensions: ["safetensors"]))
    var target: String
    @Option(help: "What the weights belong to: \(Self.architectures.joined(separator: ", ")).")
    var architecture: String?
    @Option(help: "For VAR: the weights of its tokenizer, vae_ch160v4096z32.pth.", completion: .file())
    var tokenizer: String?
    @Flag(help: "Where weights do not fit, print every tensor that differs, one a line.")
    var differences = false
    @Option(help: "How weights are stored.")
    var precision = Precision.float32
    @Flag(help: "Replace a file that exists.")
    var overwrite = false
    @OptionGroup var settings: OverrideOptions

    func run() throws {
        guard overwrite || !fileExists(target) else {
            throw ConversionError("\(target): already exists; choose another name, or add --overwrite")
        }
        if architecture == nil, settings.texts.isEmpty, RestorationConversion.recognizes(source) {
            let conversion = try RestorationConversion(source: source)
            try conversion.write(to: target, as: precision.type)
            Terminal.note("\(TextTable.grouped(conversion.model.parameterCount)) parameters")
            return print(target)
        }
        do { try convert() } catch let error as ParameterDifferences {
            if differences { print(error.lines.joined(separator: "\n")) }
            throw error
        }
        print(target)
    }

    private static var architectures: [String] {
        Conversion.architectures + KLAutoencoderConversion.architectures
            + NextFrequencyConversion.architectures
    }

    private func convert() throws {
        if let conversion = try nextFrequency() {
            try conversion.write(to: target, as: precision.type)
            return note(conversion.parameterCount, prefix: conversion.prefix)
        }
        if architecture.map(KLAutoencoderConversion.architectures.contains)
            ?? KLAutoencoderConversion.describes(source)
        {
            let conversion = try KLAutoencoderConversion(
                source: source, architecture: architecture, overrides: settings.overrides())
            try conversion.write(to: target, as: precision.type)
            return note(conversion.parameterCount, prefix: conversion.prefix)
        }
        let conversion = try Conversion(
            source: source, architecture: architecture, overrides: settings.overrides())
        try conversion.write(to: target, as: precision.type)
        note(conversion.parameterCount, prefix: conversion.prefix)
    }

    private func note(_ parameterCount: Int, prefix: String) {
        let names = prefix.isEmpty ? "" : " (those named \(prefix)*)"
        Terminal.note("\(TextTable.grouped(parameterCount)) parameters\(names)")
    }

    /// Weights of VAR, or of an autoencoder trained here; nil for others.
    private func nextFrequency() throws -> NextFrequencyConversion? {
        if let architecture, NextFrequencyConversion.architectures.contains(architecture) {
            return try NextFrequencyConversion(
                source: source, architecture: architecture, tokenizer: tokenizer,
                overrides: settings.overrides())
        }
        guard tokenizer == nil else {
            throw ConversionError("--tokenizer goes with --architecture var-d16 and its like; leave it out")
        }
        let isAutoencoder = architecture == nil && NextFrequencyConversion.isAutoencoder(source)
        return isAutoencoder ? try NextFrequencyConversion(autoencoder: source) : nil
    }
}
