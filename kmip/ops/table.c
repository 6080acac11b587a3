/* The table of operations. */
#include "kmip/ops/ops_int.h"

static const struct kmop_op ops[] = {
#define KMOP_OP(operation, verb, fill, answer) {KMIP_Operation_##operation, verb, fill, answer},
#include "kmip/ops/ops.def"
#undef KMOP_OP
};

const struct kmop_op *kmop_ops(size_t *n)
{
    *n = KLM_COUNT(ops);
    return ops;
}

const struct kmop_op *kmop_op(uint32_t operation, int version)
{
    for (size_t i = 0; i < KLM_COUNT(ops); i++) {
        if (ops[i].operation == operation) {
            return kmip_value_known(KMIP_E_Operation, operation, version) ? &ops[i] : NULL;
        }
    }
    return NULL;
}
