// hw/sequencer/sequencer.py: fills the pass tables, one pass ahead of the engines.
#pragma once
#include "loader.h"
#include "next_command.h"
#include "tables.h"
#include "walker.h"

struct Sequencer {
    NextCommand next;
    NestWalker walker;
    PatternLoader row_loader, column_loader;
    int issued = 0;  // number of the newest pass modulo 4

    int bank() const { return (issued + 1) & 1; }  // of the table that is filled next

    // `free`: nobody needs the pass before the newest; the numbers of the patterns that the next
    // pass uses. Whether the pass is issued in this cycle.
    bool issues(bool free, int rows, int columns) const {
        return walker.ready() && free && row_loader.current(bank(), rows) &&
               column_loader.current(bank(), columns);
    }
    // `word`: of a descriptor, `start`: of a CONV, by the decoder, which has it in `descriptor`.
    void clock(bool word, bool start, const uint64_t* descriptor, bool free, bool issue, int rows, int row_words, int columns,
               int column_words) {
        const bool copy = walker.ready() && free;
        row_loader.clock(copy, bank(), rows, row_words);
        column_loader.clock(copy, bank(), columns, column_words);
        const bool walker_idle = walker.idle(), begins = next.starts(start);
        if (begins) walker.load(next.waits ? next.descriptor : descriptor);
        walker.clock(begins, issue);
        next.clock(walker_idle, word, start, descriptor);
        if (issue) issued = (issued + 1) & 3;
    }
};
