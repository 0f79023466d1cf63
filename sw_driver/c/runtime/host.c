/* Host steps: which function computes them, and what it is given. */
#include "internal.h"

static int say_step(rowforge_session *session, int error, const char *name)
{
    rowforge_fail(session, error);
    rowforge_say(session, " ");
    rowforge_say(session, name);
    return error;
}

static const rowforge_host_step *find_callback(const rowforge_session *session, const char *name)
{
    uint32_t i;
    for (i = 0; i < session->setup.host_step_count; i++)
        if (rowforge_same_text(session->setup.host_steps[i].name, name))
            return &session->setup.host_steps[i];
    return NULL;
}

int rowforge_host(rowforge_session *session, uint32_t position, int check)
{
    uint64_t record[ROWFORGE_HOST_WORDS];
    const rowforge_host_step *callback;
    rowforge_built_in built_in;
    rowforge_call call;
    if (!rowforge_read_record(session, position, ROWFORGE_HOST_WORDS, record) ||
        !rowforge_read_text(session, FIELD32(record, HOST, NAME), session->name,
                            sizeof session->name))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    call.session = session;
    call.name = session->name;
    call.inputs = FIELD32(record, HOST, INPUTS);
    call.outputs = FIELD32(record, HOST, OUTPUTS);
    call.parameters = FIELD32(record, HOST, PARAMETERS);
    call.position = position;
    callback = find_callback(session, call.name);
    if (callback) {
        if (!check && callback->compute(callback->context, &call))
            return say_step(session, ROWFORGE_HOST_STEP_FAILED, call.name);
        return ROWFORGE_OK;
    }
    built_in = rowforge_find_built_in(call.name);
    if (!built_in)
        return say_step(session, ROWFORGE_UNKNOWN_HOST_STEP, call.name);
    if (built_in(&call, check))
        return say_step(session, ROWFORGE_BAD_HOST_STEP, call.name);
    return ROWFORGE_OK;
}

static int call_tensor(const rowforge_call *call, uint32_t index, rowforge_tensor *tensor)
{
    uint64_t number;
    if (!rowforge_read_record(call->session, call->position + ROWFORGE_HOST_WORDS + index, 1u,
                              &number) ||
        !rowforge_read_tensor(call->session, (uint32_t)number, tensor))
        return ROWFORGE_UNREADABLE;
    return ROWFORGE_OK;
}

int rowforge_call_input(const rowforge_call *call, uint32_t index, rowforge_tensor *tensor)
{
    return index < call->inputs ? call_tensor(call, index, tensor) : ROWFORGE_BAD_HOST_STEP;
}

int rowforge_call_output(const rowforge_call *call, uint32_t index, rowforge_tensor *tensor)
{
    return index < call->outputs ? call_tensor(call, call->inputs + index, tensor)
                                 : ROWFORGE_BAD_HOST_STEP;
}

int rowforge_call_parameter(const rowforge_call *call, uint32_t index, rowforge_parameter *found)
{
    uint64_t record[ROWFORGE_PARAMETER_WORDS];
    const uint32_t table = call->position + ROWFORGE_HOST_WORDS + call->inputs + call->outputs;
    if (index >= call->parameters)
        return ROWFORGE_BAD_HOST_STEP;
    if (!rowforge_read_record(call->session, table + index * ROWFORGE_PARAMETER_WORDS,
                              ROWFORGE_PARAMETER_WORDS, record) ||
        !rowforge_read_text(call->session, FIELD32(record, PARAMETER, NAME), found->name,
                            sizeof found->name))
        return ROWFORGE_UNREADABLE;
    found->kind = (int)FIELD(record, PARAMETER, KIND);
    found->count = FIELD32(record, PARAMETER, COUNT);
    found->first = FIELD32(record, PARAMETER, FIRST);
    return ROWFORGE_OK;
}

int rowforge_find_parameter(const rowforge_call *call, const char *name, rowforge_parameter *found)
{
    uint32_t i;
    for (i = 0; i < call->parameters; i++) {
        const int error = rowforge_call_parameter(call, i, found);
        if (error || rowforge_same_text(found->name, name))
            return error;
    }
    return ROWFORGE_BAD_HOST_STEP;
}

static int value_bits(const rowforge_call *call, const rowforge_parameter *parameter,
                      uint32_t index, uint64_t *bits)
{
    if (index >= parameter->count || (parameter->kind != ROWFORGE_PARAMETERKIND_INTEGERS &&
                                      parameter->kind != ROWFORGE_PARAMETERKIND_REALS))
        return ROWFORGE_BAD_HOST_STEP;
    return rowforge_read_record(call->session, parameter->first + index, 1u, bits)
               ? ROWFORGE_OK
               : ROWFORGE_UNREADABLE;
}

int rowforge_integer(const rowforge_call *call, const rowforge_parameter *parameter, uint32_t index,
                     int64_t *integer)
{
    uint64_t bits = 0;
    double real;
    const int error = value_bits(call, parameter, index, &bits);
    if (error)
        return error;
    if (parameter->kind == ROWFORGE_PARAMETERKIND_INTEGERS) {
        *integer = rowforge_signed(bits, 64u);
        return ROWFORGE_OK;
    }
    real = rowforge_double(bits);
    if (!(real > -9.2e18 && real < 9.2e18))
        return ROWFORGE_BAD_HOST_STEP;
    *integer = (int64_t)real;
    return ROWFORGE_OK;
}

int rowforge_real(const rowforge_call *call, const rowforge_parameter *parameter, uint32_t index,
                  double *real)
{
    uint64_t bits = 0;
    const int error = value_bits(call, parameter, index, &bits);
    if (error)
        return error;
    *real = parameter->kind == ROWFORGE_PARAMETERKIND_INTEGERS ? (double)rowforge_signed(bits, 64u)
                                                               : rowforge_double(bits);
    return ROWFORGE_OK;
}

int rowforge_text(const rowforge_call *call, const rowforge_parameter *parameter, char *space,
                  uint32_t size)
{
    if (parameter->kind != ROWFORGE_PARAMETERKIND_TEXT || !size)
        return ROWFORGE_BAD_HOST_STEP;
    rowforge_read_text(call->session, parameter->first, space, size);
    return ROWFORGE_OK;
}
