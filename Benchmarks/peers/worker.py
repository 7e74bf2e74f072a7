"""One job of `sfumato bench peers --export` in PyTorch: checked, then timed once for every line on standard input.

    worker.py JOB.safetensors --threads 2 --mode MODE   answers with lines of JSON
    worker.py JOB.safetensors --threads 2 --choose      prints the fastest mode
"""

import argparse
import copy
import gc
import json
import shutil
import statistics
import sys
import time

import torch

import safetensors_file
from attention import LinearAttention
from denoisers import DnCNN, NAFNet
from dico import DiCo
from inception import Inception

NETWORKS = {
    "dico": DiCo, "dncnn": DnCNN, "nafnet": NAFNet, "linear-attention": LinearAttention,
    "inception": Inception,
}

# Largest differences that single-precision rounding explains, relative to the size of what is compared.
OUTPUT_TOLERANCE, GRADIENT_TOLERANCE, LOSS_TOLERANCE = 1e-3, 1e-2, 1e-3


def channels_last(tensor):
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


class Job:
    def __init__(self, path):
        tensors, self.texts = safetensors_file.read(path)
        self.isTraining = self.texts["kind"] == "training"
        self.inputs = [channels_last(tensors["input.x"])]
        if "input.time" in tensors:
            self.inputs += [tensors["input.time"], tensors["input.labels"].long()]
        self.expected = tensors.get("output")
        self.gradients = {n[11:]: t for n, t in tensors.items() if n.startswith("grad_param.")}
        self.target = channels_last(tensors["target"]) if self.isTraining else None
        self.network = self.build({n[6:]: t for n, t in tensors.items() if n.startswith("param.")})

    def build(self, parameters):
        description = json.loads(self.texts["network"])
        network = NETWORKS[description.pop("kind")](**description)
        missing, unexpected = network.load_state_dict(parameters, strict=False)
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise SystemExit(f"the networks differ: {missing} are missing here, {unexpected} there")
        network = network.to(memory_format=torch.channels_last).train(self.isTraining)
        if not self.isTraining:
            network.requires_grad_(False)
            if hasattr(network, "fold"):
                network.fold()
        return network

    def modes(self):
        if not (shutil.which("g++") or shutil.which("clang++")):
            return ["eager"]
        return ["eager", "compiled"] + ([] if self.isTraining else ["compiled, frozen"])

    def work(self, mode):
        """A function that does the job once."""
        network = copy.deepcopy(self.network)
        options = {"freezing": mode == "compiled, frozen"}
        forward = network if mode == "eager" else torch.compile(network, dynamic=False, options=options)
        return Training(self, network, forward) if self.isTraining else Inference(self, forward)


class Inference:
    def __init__(self, job, forward):
        self.inputs, self.forward, self.expected = job.inputs, forward, job.expected

    def __call__(self):
        with torch.no_grad():
            return self.forward(*self.inputs)

    def difference(self):
        """The largest difference from Sfumato's result, relative to the result's root mean square."""
        found = self()
        size = self.expected.square().mean().sqrt()
        worst = float((found - self.expected).abs().max() / size)
        return worst, worst <= OUTPUT_TOLERANCE, f"output {worst:.1e}"


class Training:
    def __init__(self, job, network, forward):
        self.inputs, self.forward, self.target = job.inputs, forward, job.target
        self.gradients, self.losses = job.gradients, json.loads(job.texts["losses"])
        settings = json.loads(job.texts["optimizer"])
        self.named = dict(network.named_parameters())
        self.parameters = list(self.named.values())
        self.average = [p.detach().clone() for p in self.parameters]
        self.share = 1 - settings["averageDecay"]
        self.clip = settings["clipNorm"]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=settings["learningRate"], betas=(settings["beta1"], settings["beta2"]),
            eps=settings["epsilon"], weight_decay=settings["weightDecay"], fused=True)

    def evaluate(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(self.forward(*self.inputs), self.target)
        loss.backward()
        return loss

    def __call__(self):
        loss = self.evaluate()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, self.share)
        return float(loss.detach())

    def difference(self):
        """The largest difference of a parameter's gradient from Sfumato's, as length relative to length, and of the
        losses of the first updates."""
        # Running statistics move with every evaluation; the losses of training do not depend on them.
        self.evaluate()
        if set(self.gradients) != {n for n, p in self.named.items() if p.grad is not None}:
            raise SystemExit("the networks differ in which parameters have gradients")
        whole = sum(float(g.square().sum()) for g in self.gradients.values()) ** 0.5
        worst = 0.0
        for name, expected in self.gradients.items():
            # A gradient that is zero but for rounding is measured by the whole.
            size = max(float(expected.norm()), 1e-3 * whole / len(self.gradients) ** 0.5)
            worst = max(worst, float((self.named[name].grad - expected).norm()) / size)
        self.gradients = {}
        losses = max(abs(self() / expected - 1) for expected in self.losses)
        fits = worst <= GRADIENT_TOLERANCE and losses <= LOSS_TOLERANCE
        return worst, fits, f"gradients {worst:.1e}, losses {losses:.1e}"


def timings(work, seconds=1.5, minimum=3):
    """Seconds of one run after another, as `sfumato bench` measures them."""
    work()
    times, begin = [], time.perf_counter()
    while True:
        elapsed = time.perf_counter() - begin
        if times and (elapsed >= seconds and len(times) >= minimum or elapsed >= seconds * minimum):
            return times
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)


def fastest(job):
    """The mode whose best run is shortest; modes take turns, so that a busy moment does not decide."""
    works = {mode: job.work(mode) for mode in job.modes()}
    best = dict.fromkeys(works, float("inf"))
    for _ in range(3):
        for mode, work in works.items():
            best[mode] = min(best[mode], min(timings(work, seconds=0.4)))
    return min(best, key=best.get)


def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024 / 1e6


def forget_peak():
    """What compiling took is not held against the job."""
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--mode")
    parser.add_argument("--choose", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    libraries = memory("VmRSS")
    job = Job(arguments.job)
    if arguments.choose:
        return print(fastest(job))

    work = job.work(arguments.mode)
    worst, fits, text = work.difference()
    job = None
    work()
    print(json.dumps({"difference": worst, "fits": fits, "text": text, "libraries": libraries}), flush=True)
    for _ in sys.stdin:
        forget_peak()
        milliseconds = 1000 * statistics.median(timings(work))
        print(json.dumps({"milliseconds": milliseconds, "peakMegabytes": memory("VmHWM")}), flush=True)


if __name__ == "__main__":
    main()
