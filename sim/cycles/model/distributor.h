// hw/mesh/distributor.py: every stretch of words goes to the clusters that its route names.
#pragma once
#include <cstdint>
#include <vector>

#include "records.h"
#include "result_gatherer.h"

// A route of the stream (hw/arch/routes.py); clusters are numbered row by row.
struct Route {
    int64_t kind = 0, first_y = 0, first_x = 0, last_y = 0, last_x = 0, source = 0, words = 0;
};

struct Distributor {
    enum State : int { kHunt, kVersion, kHash, kBegin, kRoute, kTarget, kFetch, kWords, kCopy, kEnd };

    std::vector<Route> routes;  // of the stream, in order
    int columns = 1, clusters = 1;

    int state = kHunt;
    size_t next = 0;  // of the routes
    Route route;
    std::vector<int> named, target;  // by the route; who takes words
    int place = 0;                   // words of BEGIN sent
    int64_t left = 0;                // words of the stream to come

    // What the distributor does in a cycle.
    struct Actions {
        bool word = false;   // takes a word of the stream
        bool taken = false;  // gives a word to the target
        ResultGatherer::Expectation expect;
        int fetch = -1;             // the cluster whose block is wanted
        bool copied_ready = false;  // takes a word of that block
    };

    // Apart from what depends on the gatherer. `word`: one is offered; `ready`: of every cluster.
    template <class Ready>
    Actions offer(bool word, Ready ready) const {
        Actions a;
        const auto all = [&] {
            for (int cluster : target)
                if (!ready(cluster)) return false;
            return true;
        };
        switch (state) {
            case kHunt:
            case kVersion:
            case kHash:
            case kRoute:
                a.word = word;
                break;
            case kBegin:
                a.taken = all();
                break;
            case kTarget:
                if (route.kind == RouteKind::ANSWERED || route.kind == RouteKind::LAST)
                    a.expect = {&named, route.kind == RouteKind::LAST};
                break;
            case kFetch:
                a.fetch = int(route.source);
                break;
            case kWords:
                a.word = a.taken = word && left != 0 && all();
                break;
            case kCopy:
                a.copied_ready = all();
                break;
            case kEnd:
                break;
        }
        return a;
    }

    // `g`: what the gatherer did; `idle`: it expects nothing.
    void clock(const Actions& a, const ResultGatherer::Actions& g, bool idle) {
        switch (state) {
            case kHunt:
                if (a.word) state = kVersion;
                break;
            case kVersion:
                if (a.word) state = kHash;
                break;
            case kHash:
                if (!a.word) break;
                for (int number = 0; number < clusters; ++number) target.push_back(number);
                state = kBegin;
                break;
            case kBegin:
                if (a.taken && ++place == kBeginWords) state = kRoute;
                break;
            case kRoute:
                if (!a.word) break;
                route = routes[next++];
                name();
                state = kTarget;
                break;
            case kTarget:
                target = named;
                left = route.words;
                if (route.kind == RouteKind::COPIED) state = kFetch;
                else if (!a.expect.clusters || g.expected) state = kWords;
                break;
            case kFetch:
                if (g.fetched) state = kWords;
                break;
            case kWords: {
                const bool more = left != 0;
                if (a.taken) --left;
                if (more && !(a.taken && left == 0)) break;
                state = route.kind == RouteKind::COPIED ? kCopy
                        : route.kind == RouteKind::LAST ? kEnd
                                                        : kRoute;
                break;
            }
            case kCopy:
                if (g.copied && g.last) state = kRoute;
                break;
            case kEnd:
                if (idle) state = kHunt;
                break;
        }
    }

  private:
    void name() {
        named.clear();
        for (int64_t y = route.first_y; y <= route.last_y; ++y)
            for (int64_t x = route.first_x; x <= route.last_x; ++x) {
                const int number = int(y * columns + x);
                if (route.kind != RouteKind::COPIED || number != route.source) named.push_back(number);
            }
    }
};
