#!/usr/bin/env bash
# Compares what mixes positions in the blocks of a small DiCo on CIFAR-10 (configs/cifar10-mixers.yaml): equal depth, data
# and seed, and within 1 % the same multiply-accumulates per image, made up by width or feed-forward. Prints a Markdown
# table: size, speed, the loss averaged over the last tenth of the steps, and Fréchet distances of samples from the
# averaged weights. Runs that are finished are not made again, so an interrupted comparison goes on where it stopped.
#
#   Scripts/compare-mixers.sh
#   STEPS=10000 SEEDS="1 2" OUT=outputs/mixers-short Scripts/compare-mixers.sh convolution linear
set -euo pipefail
cd "$(dirname "$0")/.."

SFUMATO=${SFUMATO:-.build/release/sfumato}
STEPS=${STEPS:-40000}
SEEDS=${SEEDS:-0}
OUT=${OUT:-outputs/mixers}
# Samples scored at the end of each run.
COUNT=${COUNT:-2000}
CONFIG=configs/cifar10-mixers.yaml
MIXERS=("$@")
[ ${#MIXERS[@]} -gt 0 ] || MIXERS=(convolution softmax linear linear-conv linear-conv-gate)

# The settings of a mixer, one a line.
settings() {
    case $1 in
    convolution) printf '%s\n' model.mixer=convolution model.hiddenSize=44 model.mlpRatio=2.3 model.mixerGateSize=0 ;;
    softmax)
        printf '%s\n' model.mixer=softmaxAttention model.hiddenSize=36 model.mixerHeadSize=18 model.mlpRatio=1 \
            model.mixerGateSize=0 ;;
    linear) printf '%s\n' model.mixerConvolution=false model.mixerGateSize=0 model.mlpRatio=2.15 ;;
    linear-conv) printf '%s\n' model.mixerGateSize=0 ;;
    linear-conv-gate) printf '%s\n' model.mixerGateSize=16 ;;
    *) echo "$1: is no mixer; give convolution, softmax, linear, linear-conv or linear-conv-gate" >&2; return 1 ;;
    esac
}

train() {
    local folder=$1 seed=$2 resume=()
    shift 2
    [ ! -d "$folder/checkpoints" ] || resume=(--resume)
    "$SFUMATO" train "$CONFIG" --out "$folder" "${resume[@]}" "$@" --set "seed=$seed" --set "steps=$STEPS" \
        --set "evaluate.every=$STEPS" --set "evaluate.count=$COUNT" >/dev/null
}

# The whole model's number in what inspect says of it.
first() { grep -o "\"$1\":[0-9]*" <<< "$cost" | head -n 1 | tr -dc 0-9; }

# A member of a line of the log, or nothing.
member() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }

echo "| mixer | seed | parameters | MMAC | images/s | loss | fd-feat | fd-wm |"
echo "|---|---|---|---|---|---|---|---|"
for mixer in "${MIXERS[@]}"; do
    chosen=$(settings "$mixer")
    sets=()
    while read -r setting; do sets+=(--set "$setting"); done <<< "$chosen"
    cost=$("$SFUMATO" inspect "$CONFIG" "${sets[@]}" --json)
    for seed in $SEEDS; do
        folder=$OUT/$mixer-$STEPS-seed$seed
        [ -f "$folder/model.safetensors" ] || train "$folder" "$seed" "${sets[@]}"
        log=$folder/log.jsonl
        lines=$(grep -c '"imagesPerSecond"' "$log")
        last=$(grep '"imagesPerSecond"' "$log" | tail -n $(((lines + 9) / 10)))
        scores=$(grep '"evaluate"' "$log" | tail -n 1)
        printf '| %s | %s | %s | %.1f | %.0f | %.4f | %.4g | %.4g |\n' "$mixer" "$seed" \
            "$(first parameters)" "$(first multiplyAccumulates | awk '{ print $1 / 1e6 }')" \
            "$(member imagesPerSecond <<< "$last" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')" \
            "$(member loss <<< "$last" | awk '{ sum += $1 } END { print sum / NR }')" \
            "$(member fd-feat <<< "$scores")" "$(member fd-wm <<< "$scores")"
    done
done
