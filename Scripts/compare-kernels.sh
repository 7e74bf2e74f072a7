#!/usr/bin/env bash
# Compares convolution kernels under one recipe: a 7-layer 32-wide DnCNN on Train400, σ 25, that differs in its kernel
# alone (configs/denoise-dncnn-weighted.yaml). Prints the PSNR on Set12 01-07 of every run, with mean and spread, as a
# Markdown table. Runs that are finished are not made again, so an interrupted comparison goes on where it stopped.
#
#   Scripts/compare-kernels.sh
#   STEPS=5000 SEEDS="1 2" OUT=outputs/kernels-long Scripts/compare-kernels.sh standard fixed-0.7
set -euo pipefail
cd "$(dirname "$0")/.."

SFUMATO=${SFUMATO:-.build/release/sfumato}
STEPS=${STEPS:-800}
SEEDS=${SEEDS:-"1 2 3"}
OUT=${OUT:-outputs/kernels}
KERNELS=("$@")
[ ${#KERNELS[@]} -gt 0 ] || KERNELS=(standard standard-from-0.7 fixed-0.7 fixed-0.5 fixed-1.35 trained-from-1 trained-from-0.7)

# The settings of a kernel, one `--set` each.
settings() {
    case $1 in
    standard) printf '%s\n' 'model.kernel=standard' ;;
    standard-from-*) printf '%s\n' 'model.kernel=standard' "model.initialDensity=[${1#standard-from-}]" ;;
    fixed-*) printf '%s\n' "model.kernel={kind: weighted, density: [${1#fixed-}], isTrainable: false}" ;;
    trained-from-*)
        printf '%s\n' "model.kernel={kind: weighted, density: [${1#trained-from-}], isTrainable: true}" \
            'optimizer.densityLearningRate=1e-2' ;;
    *) echo "$1: is no kernel; give standard, standard-from-D, fixed-D or trained-from-D" >&2; return 1 ;;
    esac
}

train() {
    local kernel=$1 seed=$2 folder=$3 resume=()
    local chosen sets=()
    chosen=$(settings "$kernel")
    while read -r setting; do sets+=(--set "$setting"); done <<< "$chosen"
    [ ! -d "$folder/checkpoints" ] || resume=(--resume)
    "$SFUMATO" train configs/denoise-dncnn-weighted.yaml --out "$folder" "${resume[@]}" "${sets[@]}" \
        --set "steps=$STEPS" --set "seed=$seed" --set "validation.every=$STEPS" >/dev/null
}

# The last score in a run's log.
score() { grep -o '"psnr@25":[0-9.]*' "$1/log.jsonl" | tail -n 1 | cut -d: -f2; }

header="| kernel |"
rule="|---|"
for seed in $SEEDS; do
    header+=" seed $seed |"
    rule+="---|"
done
rows=()
for kernel in "${KERNELS[@]}"; do
    scores=()
    for seed in $SEEDS; do
        folder=$OUT/$kernel-$STEPS-seed$seed
        [ -f "$folder/model.safetensors" ] || train "$kernel" "$seed" "$folder"
        scores+=("$(score "$folder")")
    done
    rows+=("$(printf '%s\n' "${scores[@]}" | awk -v kernel="$kernel" '
        { row = row sprintf(" %.2f |", $1); sum += $1; squares += $1 * $1 }
        END {
            mean = sum / NR; variance = squares / NR - mean * mean
            printf "| %s |%s %.2f | %.2f |", kernel, row, mean, sqrt(variance > 0 ? variance : 0)
        }')")
done
echo "PSNR in dB on Set12 01-07, σ 25, after $STEPS steps"
echo
echo "$header mean | deviation |"
echo "$rule---|---|"
printf '%s\n' "${rows[@]}"
