import ArgumentParser
import Checkpoints
import Recipes

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a model is made of and what it costs.",
        discussion: """
            Examples:
              sfumato inspect samplers/weights/cifar10-dico.safetensors
              sfumato inspect configs/cifar10-dico.yaml --size 64 --set model.hiddenSize=128
              sfumato inspect outputs/cifar10-dico --loss-plot loss.png
              sfumato inspect outputs/a --loss-plot both.png --beside outputs/b
              sfumato inspect dncnn_25.pth --size 481x321
              sfumato inspect outputs/denoise-dncnn-25 --psnr-plot psnr.png

            Operations are multiply-accumulates of convolutions and linear layers for one image, the count that papers \
            call FLOPs. A filter is dead when its weights are below a thousandth of its stage's RMS.
            """)

    @Argument(
        help: "A checkpoint, a run's folder, published weights of a denoiser, or a file of configs/.",
        completion: .file())
    var source: String
    @Option(help: "Count the cost of images of this size, as 64 or 48x32.")
    var size: ImageSize?
    @Option(help: "Draw the loss of a run's folder into this PNG or JPEG.", completion: .file())
    var lossPlot: String?
    @Option(help: "Draw the loss of this run's folder beside it; may be repeated.", completion: .directory)
    var beside: [String] = []
    @Option(help: "Draw the PSNR of a denoiser's validation into this PNG or JPEG.", completion: .file())
    var psnrPlot: String?
    @Flag(help: "Print the result as JSON.")
    var json = false
    @OptionGroup var settings: OverrideOptions

    func validate() throws {
        if !beside.isEmpty, lossPlot == nil {
            throw ValidationError("--beside adds to a plot of the loss; give --loss-plot.")
        }
    }

    func run() throws {
        if let lossPlot {
            let others = try beside.map { (name: $0, plot: try LossPlot(runFolder: $0)) }
            try LossPlot(runFolder: source).image(title: source, beside: others).write(to: lossPlot)
        }
        if let psnrPlot { try PSNRPlot(runFolder: source).image(title: source).write(to: psnrPlot) }
        let inspection = try Inspection(path: source, size: size, overrides: settings.overrides())
        if json { inspection.json.printLine() } else { print(inspection.text) }
    }
}
