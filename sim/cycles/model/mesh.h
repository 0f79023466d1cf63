// hw/top/mesh.py: clusters between a distributor and a gatherer, clocked together.
#pragma once
#include <memory>
#include <vector>

#include "accelerator.h"
#include "distributor.h"
#include "result_gatherer.h"

// A cluster between its two queues (hw/top/cluster.py).
struct Cluster {
    static constexpr int kDepth = 2;
    Accelerator core;
    Queue commands;
    ItemQueue<Answer, kDepth> results;

    // Words are counted on the link, not here.
    Cluster(const Config& config, const uint64_t* words, const MaskStream& masks)
        : core(config, words, nullptr, nullptr, 0, {}, masks, Link::kBeat) {}
    const Answer* front() const { return results.valid() ? &results.front() : nullptr; }
};

class Mesh {
  public:
    const std::vector<Gate> gates;
    std::vector<std::unique_ptr<Cluster>> clusters;
    int64_t cycles = 0;  // of the program

    Mesh(const Config& config, int64_t total, std::vector<Gate> list, std::vector<Route> routes, int rate)
        : gates(std::move(list)) {
        link_.total = total;
        link_.parts = int(64 / config.link.width);
        link_.rate = rate * link_.parts;
        distributor_.columns = int(config.clusters.x);
        distributor_.clusters = int(config.clusters.y * config.clusters.x);
        distributor_.routes = std::move(routes);
    }
    void add(const Config& config, const uint64_t* words, const MaskStream& masks) {
        clusters.push_back(std::make_unique<Cluster>(config, words, masks));
    }
    bool done() const { return done_; }

    void cycle() {
        const bool beat = link_.beat_valid(gates);
        const auto ready = [&](int number) { return clusters[number]->commands.ready(Cluster::kDepth); };
        const auto front = [&](int number) { return clusters[number]->front(); };
        Distributor::Actions d = distributor_.offer(link_.word_valid(beat), ready);
        const ResultGatherer::Actions g =
            gatherer_.offer(d.expect, d.copied_ready, link_.result_ready(), front);
        d.taken = d.taken || g.copied;
        const bool idle = gatherer_.idle();

        // the clock edge
        gatherer_.clock(g, d.expect, d.fetch, front);
        const std::vector<int>& target = distributor_.target;
        size_t named = 0;
        for (size_t number = 0; number < clusters.size(); ++number) {
            Cluster& cluster = *clusters[number];
            const Accelerator::Moved moved =
                cluster.core.step({cluster.commands.valid(), cluster.results.ready(Cluster::kDepth)});
            const bool aimed = named < target.size() && target[named] == int(number);
            named += aimed;
            cluster.commands.clock(d.taken && aimed, moved.word);
            cluster.results.clock(moved.result, {moved.length}, g.take == int(number));
        }
        distributor_.clock(d, g, idle);
        link_.clock(beat, d.word, g.result_valid, g.result);
        done_ = g.status;
        ++cycles;
    }

  private:
    Link link_;
    Distributor distributor_;
    ResultGatherer gatherer_;
    bool done_ = false;
};
