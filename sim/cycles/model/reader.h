// hw/glb/ports.py, Reader: up to four reads under way; data is labels only.
#pragma once
#include "queue.h"

// What an engine wants to be read; `skip`: passed on without a read.
template <class Label>
struct ReadRequest {
    int32_t address = 0;
    bool skip = false;
    Label label{};
};

template <class Label>
struct Reader {
    static constexpr int kDepth = 4, kRequests = 2;
    using Request = ReadRequest<Label>;
    int credit = kDepth;
    bool pending = false;
    Label label{};
    ItemQueue<Label, kDepth> queue;
    ItemQueue<Request, kRequests> requests;  // with `control.pipeline` only

    bool room() const { return credit != 0; }
    bool valid() const { return queue.valid(); }
    const Label& front() const { return queue.front(); }
    // A request comes out of the pipeline or, without one, is `offered`.
    bool asks(bool pipeline, bool offered) const {
        return room() && (pipeline ? requests.valid() : offered);
    }
    // The request on offer goes into the reader; `accepted`: the one that asks is passed on.
    bool takes(bool pipeline, bool offered, bool accepted) const {
        return pipeline ? offered && requests.ready(kRequests) : accepted;
    }
    // One cycle. `entered`: `next` is the request that was taken; `accepted`: the one that asked was
    // passed on; `taken`: the oldest label leaves.
    void clock(bool pipeline, bool entered, const Request& next, bool accepted, bool taken) {
        queue.clock(pending, label, taken);
        pending = accepted;
        label = accepted ? (pipeline ? requests.front() : next).label : Label{};
        credit += int(taken) - int(accepted);
        if (pipeline) requests.clock(entered, entered ? next : Request{}, accepted);
    }
};
