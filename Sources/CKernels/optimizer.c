#include "optimizer.h"
#include "numerics.h"

SFUMATO_KERNEL
void sfumato_adamw_step(const struct sfumato_adamw *s, const float *gradient, float *weight,
                        float *first_moment, float *second_moment, float *average, int64_t count) {
    const float beta1 = s->beta1, beta2 = s->beta2, epsilon = s->epsilon, scale = s->gradient_scale;
    const float step_size = s->learning_rate / s->correction1;
    const float root_correction = sqrtf(s->correction2), decay = 1.0f - s->learning_rate * s->weight_decay;
    const float average_decay = s->average_decay;
    for (int64_t i = 0; i < count; i++) {
        float g = gradient[i] * scale;
        float m = beta1 * first_moment[i] + (1.0f - beta1) * g;
        float v = beta2 * second_moment[i] + (1.0f - beta2) * g * g;
        first_moment[i] = m;
        second_moment[i] = v;
        float w = weight[i] * decay - step_size * m / (sqrtf(v) / root_correction + epsilon);
        weight[i] = w;
    }
    if (!average) return;
    for (int64_t i = 0; i < count; i++)
        average[i] = average_decay * average[i] + (1.0f - average_decay) * weight[i];
}
