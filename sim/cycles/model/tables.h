// hw/engines/tables.py: patterns as the engines and the array see them, and the two pass tables.
#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "digest.h"
#include "records.h"

constexpr int kMaxTags = 64;  // of row, filter and slot tags (`ID` has six bits)

// A row pattern, decoded. Sets of rows are bit masks.
struct RowPattern {
    Pattern head;
    std::vector<Row> rows;
    std::vector<Slot> slots;
    std::vector<Segment> segments;
    uint32_t active = 0, tails = 0;
    std::array<uint32_t, kMaxTags> with_fid{}, with_iid{};
    Digest content;

    RowPattern(const uint64_t* words, int count) {
        head = Pattern::unpack(words);
        for (int i = 0; i < head.words; ++i) content.add(words[i]);
        words += Pattern::kWords;
        rows.resize(count);
        for (int i = 0; i < head.rows; ++i) {
            const uint64_t half = words[i / 2] >> (i % 2 * kRowBits);
            rows[i] = Row::unpack(&half);
        }
        words += (head.rows + 1) / 2;
        for (int i = 0; i < head.slots; ++i, words += Slot::kWords)
            slots.push_back(Slot::unpack(words));
        for (int i = 0; i < head.segments; ++i, words += Segment::kWords)
            segments.push_back(Segment::unpack(words));
        for (int i = 0; i < count; ++i) {
            if (!rows[i].active) continue;
            active |= 1u << i;
            if (rows[i].tail) tails |= 1u << i;
            with_fid[rows[i].fid] |= 1u << i;
            with_iid[rows[i].iid] |= 1u << i;
        }
    }
};

// A column pattern, decoded. Sets of columns are bit masks.
struct ColumnPattern {
    struct Entry : Column {
        int64_t psum = 0;  // psum beats added to the pass's psum address
    };
    Columns head;
    std::vector<Entry> columns;
    uint32_t active = 0;
    std::array<uint32_t, kMaxTags> with_tid{};
    std::array<uint32_t, 1 << kTagBits> with_base{};
    Digest content;

    ColumnPattern(const uint64_t* words, int count) {
        head = Columns::unpack(words);
        for (int i = 0; i < head.words; ++i) content.add(words[i]);
        words += Columns::kWords;
        columns.resize(count);
        for (int i = 0; i < head.columns; ++i, words += Column::kWords)
            columns[i] = {Column::unpack(words), i * head.psum};
        for (int i = 0; i < count; ++i) {
            if (!columns[i].active) continue;
            active |= 1u << i;
            with_tid[columns[i].tid] |= 1u << i;
            with_base[columns[i].base] |= 1u << i;
        }
    }
};

// The pattern memories; a rewritten place is a new pattern. Patterns live as long as the model.
template <class T>
struct PatternMemory {
    std::vector<std::unique_ptr<T>> all;
    std::vector<int> places;  // number of the pattern in each place

    const T& operator[](int number) const { return *all[number]; }
    // Number of the pattern in a place.
    int at(int64_t place) const {
        if (place >= int64_t(places.size()) || places[place] < 0)
            throw std::runtime_error("a pass uses pattern " + std::to_string(place) +
                                     ", which no command has filled");
        return places[place];
    }
    void write(int place, const uint64_t* words, int entries) {
        if (int(places.size()) <= place) places.resize(place + 1, -1);
        places[place] = int(all.size());
        all.push_back(std::make_unique<T>(words, entries));
    }
};

// One pass: the constants and bases of the command, its place in the nest, its patterns.
struct PassTable {
    Constants constants;
    Bases bases;
    bool first = false, last = false, fresh = false, release = false, sync = false,
         closing = false;
    const RowPattern* rows = nullptr;
    const ColumnPattern* columns = nullptr;

    // Buffer word that the first of the pass's filters begins with, if they are there.
    int64_t filters() const {
        return bases.weights + rows->head.first_unit + columns->head.first_group;
    }
};

// Cells of a channel and a tap in the filters of a PE.
inline int cells(const Config& config, const Constants& c) {
    return int(c.psums / (config.buffer.width / config.array.data_width));
}

// Passes are numbered modulo 4; the table of a pass is chosen by the number's lowest bit.
using Tables = std::array<PassTable, 2>;
inline const PassTable& table_behind(const Tables& tables, int done) {
    return tables[(done + 1) & 1];
}
