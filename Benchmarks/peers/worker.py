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

# Both sides are compared with the same network in double precision. Sfumato may be as far from it as PyTorch in single
# precision, times this factor: gradients of a deep ReLU network are off by a hundredth on either side. Where PyTorch is nearer than
# the floor, the floor counts: Winograd's convolutions round a little more than direct ones.
FACTOR, FLOOR, LOSS_TOLERANCE = 2, 5e-5, 1e-3


def is_rounding(ours, theirs):
    return ours <= max(FLOOR, FACTOR * theirs)


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

    def double(self):
        """The same job in double precision."""
        job = copy.copy(self)
        job.network = copy.deepcopy(self.network).double()
        job.inputs = [x.double() if x.is_floating_point() else x for x in self.inputs]
        job.target = None if self.target is None else self.target.double()
        return job

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

    def difference(self, exact):
        """Largest errors of Sfumato's result and of this one, relative to the result's root mean square."""
        truth = exact()
        size = truth.square().mean().sqrt()
        ours, theirs = (float((y - truth).abs().max() / size) for y in (self.expected, self()))
        return is_rounding(ours, theirs), f"output {ours:.1e} (PyTorch {theirs:.1e})"


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

    def difference(self, exact):
        """Largest errors of a parameter's gradient, Sfumato's and this one's, as length relative to length; and how far
        apart the losses of the first updates are."""
        # Running statistics move with every evaluation; the losses of training do not depend on them.
        self.evaluate()
        exact.evaluate()
        found = {name: p.grad for name, p in self.named.items() if p.grad is not None}
        truth = {name: exact.named[name].grad for name in found}
        if set(self.gradients) != set(found):
            raise SystemExit("the networks differ in which parameters have gradients")
        whole = sum(float(g.square().sum()) for g in truth.values()) ** 0.5

        def worst(gradients):
            # A gradient that is zero but for rounding is measured by the whole.
            least = 1e-3 * whole / len(truth) ** 0.5
            return max(
                float((gradients[name] - g).norm()) / max(float(g.norm()), least) for name, g in truth.items())

        ours, theirs = worst(self.gradients), worst(found)
        self.gradients = {}
        losses = max(abs(self() / expected - 1) for expected in self.losses)
        fits = is_rounding(ours, theirs) and losses <= LOSS_TOLERANCE
        return fits, f"gradients {ours:.1e} (PyTorch {theirs:.1e}), losses {losses:.1e}"


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
    fits, text = work.difference(job.double().work("eager"))
    job = None
    work()
    print(json.dumps({"fits": fits, "text": text, "libraries": libraries}), flush=True)
    for _ in sys.stdin:
        forget_peak()
        milliseconds = 1000 * statistics.median(timings(work))
        print(json.dumps({"milliseconds": milliseconds, "peakMegabytes": memory("VmHWM")}), flush=True)


if __name__ == "__main__":
    main()
