import TestSupport
import Testing

/// What a mistake on the command line is answered with.
@Suite struct UsageTests {
    @Test(
        arguments: [
            (["frobnicate"], "Error: Unexpected argument 'frobnicate'"),
            (["train"], "Error: Missing expected argument '<config>'"),
            (["train", "a.yaml", "--fast"], "Error: Unknown option '--fast'"),
            (["train", "a.yaml", "--threads", "0"], "Error: --threads must be at least 1, found 0."),
            (
                ["generate"],
                "Error: Give a recipe, as in samplers/cifar10-dico.yaml, or --like with an image."
            ),
            (["generate", "heun-18", "-n", "0"], "Error: -n must be at least 1, found 0."),
            (["generate", "heun-18", "-n", "-3"], "Error: Missing value for '-n <count>'"),
            (["generate", "heun-18", "-n", "many"], "Error: The value 'many' is invalid for '-n <count>'"),
            (["generate", "heun-18", "--batch", "0"], "Error: --batch must be at least 1, found 0."),
            (
                ["generate", "heun-18", "--seeds", "3-1"],
                "Error: seeds \"3-1\": 3-1 runs backwards; write 1-3."
            ),
            (
                ["generate", "heun-18", "--seeds", "1,x"],
                "Error: seeds \"1,x\": \"x\" is not understood; write 7, 0-63 or 1,5,9-12."
            ),
            (
                ["generate", "heun-18", "--seeds", "1-3,2"],
                "Error: seeds \"1-3,2\": a seed is named twice, which would make the same image twice."
            ),
            (
                ["generate", "heun-18", "--seeds", "1", "-n", "2"],
                "Error: --seeds already says how many images and which; leave out -n and --seed."
            ),
            (["generate", "heun-18", "--size", "0"], "Error: The value '0' is invalid for '--size <size>'"),
            (
                ["generate", "heun-18", "--no-images"],
                "Error: --no-images leaves nothing to write; add --grid, --gif or --npz."
            ),
            (["evaluate", "a"], "Error: Missing expected argument '--against <against>'"),
            (["convert", "a"], "Error: Missing expected argument '<target>'"),
            (
                ["convert", "a", "b", "--precision", "float8"],
                "Error: The value 'float8' is invalid for '--precision"
            ),
            (["verify"], "Error: Missing expected argument '<files> ...'"),
        ] as [([String], String)])
    func `bad usage ends with 64 and says what is wrong`(_ arguments: [String], _ message: String) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix(message), "\(run.errors)")
    }

    @Test(
        arguments: [
            (
                ["train", "configs/none.yaml"],
                "configs/none.yaml: cannot read: no such file or folder; check the spelling"
            ),
            (["train", "configs"], "configs: cannot read"),
            (
                ["train", "configs/shapes-dico.yaml", "--set", "optimizr.beta1=1"],
                "--set optimizr.beta1=1: optimizr is no setting; did you mean \"optimizer\"?"
            ),
            (
                ["train", "configs/shapes-dico.yaml", "--set", "model.classCount=7"],
                "configs/shapes-dico.yaml: model.classCount must be 10, as shapes has 10 classes, found 7"
            ),
            (
                ["train", "configs/shapes-dico.yaml", "--set", "samples.sampler.solver=ddpm"],
                "configs/shapes-dico.yaml: samples.sampler.solver must be another than ddpm for a continuous process"
            ),
            (
                ["train", "configs/cifar10-dico.yaml", "--set", "data.path=/nowhere"],
                "/nowhere: there is no such folder or file; check the path"
            ),
            (
                ["train", "configs/shapes-dico.yaml", "--out", "/dev/null/run"],
                "/dev/null: cannot make a folder: a part of the path is a file, a folder is needed"
            ),
            (["generate", "heun-19"], "heun-19: there is no such recipe; did you mean heun-18?"),
            (
                ["generate", "heun-18"],
                "samplers/heun-18.yaml: names no checkpoint; give one with --checkpoint"
            ),
            (
                ["generate", "heun-18", "--checkpoint", "none.safetensors"],
                "none.safetensors: cannot read: no such file or folder; check the spelling"
            ),
            (
                ["generate", "heun-18", "--checkpoint", "configs/shapes-dico.yaml"],
                "configs/shapes-dico.yaml: is no safetensors file"
            ),
            (
                ["generate", "heun-18", "--checkpoint", "samplers/weights/featnet-cifar10.safetensors"],
                "samplers/weights/featnet-cifar10.safetensors: does not say which network it is"
            ),
            (["generate", "heun-18", "--steps", "0"], "--steps: steps must be in 1…10000, found 0"),
            (["generate", "--like", "none.png"], "none.png: cannot read: no such file or folder"),
            (["inspect", "none"], "none: cannot read: no such file or folder"),
            (
                [
                    "convert", "samplers/weights/featnet-cifar10.safetensors",
                    "/tmp/sfumato-none.safetensors", "--architecture", "dico-m",
                ],
                "there is no architecture \"dico-m\"; did you mean dico-b?"
            ),
            (
                [
                    "convert", "samplers/weights/featnet-cifar10.safetensors",
                    "/tmp/sfumato-none.safetensors", "--architecture", "dico-s",
                ],
                "samplers/weights/featnet-cifar10.safetensors: does not fit dico-s: 323 missing"
            ),
            (
                ["convert", "configs/shapes-dico.yaml", "/tmp/sfumato-none.safetensors"],
                "configs/shapes-dico.yaml: is none of safetensors, .pth, .npz and .mat"
            ),
            (["evaluate", "configs", "--against", "none"], "configs: there is no PNG or JPEG image in it"),
            (
                ["evaluate", "none", "--against", "none"],
                "none: there is no such folder or file; check the path"
            ),
            (
                ["evaluate", "none", "--against", "none", "--metrics", "fd-wn"],
                "there is no metric \"fd-wn\"; did you mean \"fd-wm\"?"
            ),
            (["bench", "none.yaml"], "none.yaml: cannot read"),
        ] as [([String], String)])
    func `what cannot be done ends with 1 and one clear line`(_ arguments: [String], _ message: String) throws
    {
        let run = try CommandRun(arguments)
        #expect(run.status == 1)
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("sfumato: error: " + message), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count <= 2)
    }

    @Test func `a file that is no case counts as a failure`() throws {
        let run = try CommandRun([
            "verify", "samplers/weights/featnet-cifar10.safetensors", "none.safetensors",
        ])
        #expect(run.status == 1)
        #expect(run.output.contains("FAIL  featnet-cifar10.safetensors  not supported"))
        #expect(run.output.contains("FAIL  none.safetensors  none.safetensors: cannot read"))
        #expect(run.output.hasSuffix("0 of 2 pass, 2 fail (1 not supported)\n"), "\(run.output)")
    }
}
