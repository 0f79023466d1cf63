// hw/replay/walker.py: the records of an image. The model knows what they say and counts words.
#pragma once
#include <cstdint>

#include "gather.h"
#include "records.h"

// A record with its base added; `kind`: a `RecordKind`.
struct Record {
    int64_t kind = 0, run = 0, rows = 0, pitch = 0;
    int64_t place = 0;  // of GATHER the number of the first unit, else a word's
    int64_t last = 0, link = 0;
};

struct ReplayImage {
    int64_t address = 0, words = 0, begins = 0, ends = 0, blocks = 0;
    int64_t first = 0, records = 0;  // among the records of all images
};

// Where a data block goes.
struct BlockPlace {
    bool link = false;
    WordRun run;
};

struct ImageWalker {
    enum State : int {
        kIdle, kWord0, kWord1, kSum, kCheck, kHeader, kBegin, kInline, kGather, kScatter, kWait, kCrc,
        kDone
    };
    int state = kIdle;
    bool heading = false;
    int64_t next = 0;     // record that is read or obeyed
    int64_t passing = 0;  // words of INLINE or BEGIN to come

    // Words of the image and of the command stream in this cycle.
    bool image_ready(const ReplayImage& image, bool command_ready, bool gathered) const {
        switch (state) {
            case kWord0: return !ended(image);
            case kWord1: return true;
            case kInline: return command_ready && gathered;
            case kCrc: return gathered;
            default: return false;
        }
    }
    bool command_valid(bool word, bool gathered) const {
        return state == kBegin || (state == kInline && word && gathered);
    }
    bool gathers() const { return state == kGather; }
    bool scatters() const { return state == kScatter; }

    // `taken`: a word of the image; `sent`: one of the command stream; `passed_on`: the job on offer is
    // taken; `written`: words of data blocks that the memory has.
    void clock(const ReplayImage& image, const Record* records, bool start, bool taken, bool sent,
               bool passed_on, int64_t written) {
        const Record* record = records + image.first + next;
        switch (state) {
            case kIdle:
                if (!start) break;
                heading = true;
                next = 0;
                state = kWord0;
                break;
            case kWord0:
                if (ended(image)) state = kCrc;
                else if (taken) state = kWord1;
                break;
            case kWord1:
                if (taken) state = kSum;
                break;
            case kSum:
                state = heading ? kHeader : kCheck;
                break;
            case kHeader:
                heading = false;
                passing = kBeginWords;
                state = image.begins ? kBegin : kWord0;
                break;
            case kBegin:
                if (sent && --passing == 0) state = kWord0;
                break;
            case kCheck:
                passing = record->run;
                obey(record->kind);
                break;
            case kInline:
                if (sent && --passing == 0) advance();
                break;
            case kGather:
            case kScatter:
                if (passed_on) advance();
                break;
            case kWait:
                if (written >= record->place) advance();
                break;
            case kCrc:
                if (taken) state = kDone;
                break;
        }
    }

  private:
    bool ended(const ReplayImage& image) const { return !heading && next == image.records; }
    void advance() {
        ++next;
        state = kWord0;
    }
    void obey(int64_t kind) {
        switch (kind) {
            case RecordKind::INLINE: state = kInline; break;
            case RecordKind::GATHER: state = kGather; break;
            case RecordKind::SCATTER: state = kScatter; break;
            case RecordKind::WAIT: state = kWait; break;
        }
    }
};
