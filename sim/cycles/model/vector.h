// hw/vector/vector.py and its parts: element-wise operations and pooling on the global buffer.
#pragma once
#include <algorithm>
#include <cstdlib>

#include "post.h"
#include "queue.h"

// hw/vector/address.py
struct WindowWalker {
    // The part of a window that exists; rows and columns less 1.
    struct Window {
        bool empty = false, row_end = false, plane_end = false;
        int left = 0, right = 0, rows = 0, columns = 0;
    };
    enum State : int { kIdle, kMultiply, kWalk };
    int state = kIdle;
    int bits_left = 0;  // cycles of the multiplication to come
    int64_t row = 0, column = 0, block = 0;
    bool valid = false;
    Window window;

    static bool binary(const Vector& v) { return v.op != VectorOp::MAX && v.op != VectorOp::SUM; }
    bool busy() const { return state != kIdle || valid; }
    void clock(const Vector& v, bool start, bool ready) {
        const bool moves = ready || !valid, walking = state == kWalk;
        if (moves) {
            window = walking ? here(v) : Window{};
            valid = walking;
        }
        switch (state) {
            case kIdle:
                if (start && v.blocks && v.rows && v.columns) {
                    row = column = block = 0;
                    const int64_t y = binary(v) ? 0 : std::llabs(v.y);
                    for (bits_left = 0; (std::max(y, v.stride_y) >> bits_left) != 0;) ++bits_left;
                    state = kMultiply;
                }
                break;
            case kMultiply:
                if (bits_left == 0) state = kWalk;
                else --bits_left;
                break;
            case kWalk:
                if (moves && next(v)) state = kIdle;
                break;
        }
    }

  private:
    bool next(const Vector& v) {
        if (++column < v.columns) return false;
        column = 0;
        if (++row < v.rows) return false;
        row = 0;
        return ++block == v.blocks;
    }
    Window here(const Vector& v) const {
        const int mask = (1 << kAddressBits) - 1;
        Window w;
        w.row_end = column + 1 == v.columns;
        w.plane_end = w.row_end && row + 1 == v.rows;
        if (binary(v)) {
            const int64_t x = column * v.stride_x, y = row * v.stride_y;
            w.left = int((v.left + block * v.plane_stride + y * v.row_stride + x) & mask);
            w.right =
                int((v.right + block * v.right_plane_stride + y * v.right_row_stride + x) & mask);
            w.columns = 1;
            return w;
        }
        const int64_t top = v.y + row * v.stride_y, first = v.x + column * v.stride_x;
        const int64_t y = std::max<int64_t>(top, 0), x = std::max<int64_t>(first, 0);
        const int64_t rows = std::min(top + v.window_rows, v.height) - 1 - y;
        const int64_t columns = std::min(first + v.window_columns, v.width) - 1 - x;
        w.empty = rows < 0 || columns < 0;
        w.left = int((v.left + block * v.plane_stride + y * v.row_stride + x) & mask);
        w.rows = int(rows);
        w.columns = int(columns);
        return w;
    }
};

struct VectorToken {
    bool empty = false, last = false, row_end = false, plane_end = false;
};

// hw/vector/reader.py
struct WindowReader {
    static constexpr int kInFlight = 8;
    bool active = false;
    WindowWalker::Window window;
    int address = 0, row = 0, columns_left = 0, rows_left = 0;
    ItemQueue<VectorToken, kInFlight> tokens;
    Queue answers;
    ItemQueue<int, 2> requests;  // addresses, with `control.pipeline` only (hw/top/engine.py)
    bool answering = false;      // a request was granted in the cycle before

    bool busy() const { return active || tokens.valid(); }
    bool offers() const { return active && !window.empty && tokens.ready(kInFlight); }
    // What the buffer sees.
    bool request_valid(bool pipeline) const { return pipeline ? requests.valid() : offers(); }
    int request(bool pipeline) const { return pipeline ? requests.front() : address; }
    // A request that is offered is taken: by the buffer or, with the pipeline, by the queue.
    bool takes(bool pipeline, bool granted) const { return pipeline ? requests.ready(2) : granted; }
    bool last() const { return window.empty || (columns_left == 0 && rows_left == 0); }
    bool steps(bool taken) const {
        return active && tokens.ready(kInFlight) && (window.empty || taken);
    }
    bool windows_ready(bool taken) const { return !active || (steps(taken) && last()); }
    bool word_valid() const { return tokens.valid() && (tokens.front().empty || answers.valid()); }
    void clock(const Vector& v, const WindowWalker& walker, bool pipeline, bool granted,
               bool word_taken) {
        const bool taken = takes(pipeline, granted), step = steps(taken);
        const bool takes_window = windows_ready(taken), entered = step && !window.empty;
        VectorToken token;
        if (step) token = {window.empty, last(), window.row_end, window.plane_end};
        const bool answer_taken = word_taken && !tokens.front().empty;
        tokens.clock(step, token, word_taken);
        answers.clock(answering, answer_taken);
        answering = pipeline ? granted : entered;
        if (pipeline) requests.clock(entered, address, granted);
        if (takes_window) {
            active = walker.valid;
            window = walker.window;
            address = row = window.left;
            columns_left = window.columns;
            rows_left = window.rows;
        } else if (step) {
            const int mask = (1 << kAddressBits) - 1;
            if (columns_left) {
                address = (WindowWalker::binary(v) ? window.right : address + 1) & mask;
                --columns_left;
            } else {
                address = row = int((row + v.row_stride) & mask);
                columns_left = window.columns;
                --rows_left;
            }
        }
    }
};

// hw/vector/lanes.py
struct LaneReducer {
    bool valid = false, last = false, row_end = false, plane_end = false;
    bool reduced = false, reduced_row_end = false, reduced_plane_end = false;

    bool busy() const { return valid || reduced; }
    bool steps(bool taken) const { return valid && (!last || !reduced || taken); }
    bool ready(bool taken) const { return !valid || steps(taken); }
    // `word`: one is offered; `taken`: the reduced window goes (or could).
    void clock(bool word, const VectorToken& token, bool taken) {
        const bool step = steps(taken), takes = ready(taken);
        if (taken) reduced = false;
        if (step && last) {
            reduced = true;
            reduced_row_end = row_end;
            reduced_plane_end = plane_end;
        }
        if (takes) {
            valid = word;
            last = word && token.last;
            row_end = word && token.row_end;
            plane_end = word && token.plane_end;
        }
    }
};

struct VectorEngine {
    Vector command;
    WindowWalker walker;
    WindowReader reader;
    LaneReducer reducer;
    int group = 0;
    bool fetched = false, sending = false;
    int plane = 0, row = 0, address = 0;      // where the reduced window's results go
    int fetched_address = 0, item_address = 0;

    bool busy() const {
        return walker.busy() || reader.busy() || reducer.busy() || fetched || sending;
    }
    bool item_valid() const { return sending; }
    Item item_on_offer() const {
        Item item;
        item.mask = 0xFF;
        item.address = item_address;
        return item;
    }
    bool request_valid(const Config& config) const {
        return reader.request_valid(config.control.pipeline != 0);
    }
    int request(const Config& config) const { return reader.request(config.control.pipeline != 0); }
    void clock(const Config& config, bool start, bool granted, bool item_taken) {
        const int groups = int(config.lanes / config.post.units), mask = (1 << kAddressBits) - 1;
        const bool advance = !sending || item_taken, last = group == groups - 1;
        const bool reduced_ready = advance && last, reduced = reducer.reduced;
        const bool idle = !busy();
        const bool word = reader.word_valid(), word_taken = word && reducer.ready(reduced_ready);
        const VectorToken token = reader.tokens.front();
        if (advance) {
            item_address = fetched_address;
            fetched_address = address;
            sending = fetched;
            fetched = reduced;
            if (reduced) group = last ? 0 : group + 1;
        }
        if (start && idle) {
            plane = row = address = int(command.output);
        } else if (reduced && reduced_ready) {
            if (reducer.reduced_plane_end) {
                plane = row = address = int((plane + command.plane) & mask);
            } else if (reducer.reduced_row_end) {
                row = address = int((row + command.output_row_stride) & mask);
            } else {
                address = (address + 1) & mask;
            }
        }
        reducer.clock(word, token, reduced_ready);
        const bool pipeline = config.control.pipeline != 0;
        const bool window_ready = reader.windows_ready(reader.takes(pipeline, granted));
        reader.clock(command, walker, pipeline, granted, word_taken);
        walker.clock(command, start, window_ready);
    }
};
