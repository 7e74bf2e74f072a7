// swift-tools-version: 6.1
import PackageDescription

/// The C kernels are always optimised: a debug build is for debugging Swift, not for waiting on loops.
let kernelSettings: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno"])]

let package = Package(
    name: "sfumato",
    products: [.executable(name: "sfumato", targets: ["sfumato"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CBLAS", providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CFFTW", providers: [.apt(["libfftw3-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),

        // Our own C: fused kernels, and the libraries whose error paths use setjmp.
        .target(name: "CKernels", cSettings: kernelSettings, linkerSettings: [.linkedLibrary("gomp")]),
        .target(
            name: "CCodecs", cSettings: kernelSettings,
            linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("z")]),

        // The house, ground floor first; a target imports only from above it.
        .target(name: "Archives", dependencies: ["CZlib"]),
        .target(name: "Tensors", dependencies: ["CBLAS", "COneDNN", "CFFTW", "CKernels"]),
        .target(name: "Layers", dependencies: ["Tensors"]),
        .target(name: "Images", dependencies: ["Tensors", "Archives", "CCodecs"]),
        .target(name: "Checkpoints", dependencies: ["Layers", "Archives"]),
        .target(name: "Backbones", dependencies: ["Layers"]),
        .target(name: "Diffusion", dependencies: ["Layers"]),
        .target(name: "Autoregression", dependencies: ["Layers"]),
        .target(name: "Denoising", dependencies: ["Layers", "Images"]),
        .target(name: "Metrics", dependencies: ["Layers", "Images", "Checkpoints"]),
        .target(name: "Training", dependencies: ["Layers", "Images", "Checkpoints"]),
        .target(
            name: "Recipes",
            dependencies: [
                "Backbones", "Diffusion", "Autoregression", "Denoising", "Metrics", "Training", "Checkpoints",
                "Images",
                .product(name: "Yams", package: "Yams"),
            ]),
        .executableTarget(
            name: "sfumato",
            dependencies: [
                "Recipes", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .target(name: "TestSupport", dependencies: ["Tensors", "Layers", "Checkpoints"]),

        .testTarget(name: "ArchivesTests", dependencies: ["Archives", "TestSupport"]),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
        .testTarget(name: "LayersTests", dependencies: ["Layers", "TestSupport"]),
        .testTarget(name: "ImagesTests", dependencies: ["Images", "TestSupport"]),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "TestSupport"]),
        .testTarget(name: "BackbonesTests", dependencies: ["Backbones", "Checkpoints", "TestSupport"]),
        .testTarget(name: "DiffusionTests", dependencies: ["Diffusion", "TestSupport"]),
        .testTarget(name: "AutoregressionTests", dependencies: ["Autoregression", "TestSupport"]),
        .testTarget(name: "DenoisingTests", dependencies: ["Denoising", "Backbones", "TestSupport"]),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics", "TestSupport"]),
        .testTarget(
            name: "TrainingTests", dependencies: ["Training", "Backbones", "Diffusion", "TestSupport"]),
        .testTarget(name: "RecipesTests", dependencies: ["Recipes", "TestSupport"]),
        .testTarget(name: "CommandTests", dependencies: ["Recipes", "TestSupport", "sfumato"]),
    ],
    swiftLanguageModes: [.v6]
)
