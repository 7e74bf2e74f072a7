// One pass over a parameter: AdamW and the exponential moving average of the weights.
#pragma once
#include <stdint.h>

struct sfumato_adamw {
    float learning_rate, beta1, beta2, epsilon, weight_decay;
    /// 1 − beta1^step and 1 − beta2^step.
    float correction1, correction2;
    /// Factor on the gradient (clipping, accumulation, loss scale).
    float gradient_scale;
    /// Decay of the moving average; ignored where `average` is null.
    float average_decay;
};

void sfumato_adamw_step(const struct sfumato_adamw *settings, const float *gradient, float *weight,
                        float *first_moment, float *second_moment, float *average, int64_t count);
