// What steward-host is asked by the commands, and how a job goes through a time without Synapse. Used by restart, upgrade,
// maintenance_window, check_backup and the report. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "core/units.hpp"
#include "host/client.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

// What steward-host may do and what it does now (its `state`). not_found: not configured; says what to write where.
boost::asio::awaitable<core::Result<host::Reply>> host_state(command::Context& context);
// not_found unless host.yaml allows the verb; conflict while a stop is not allowed yet or something is under way.
core::Result<void> can_stop_for(const host::Reply& state, host::Verb verb);

// The item of a job that is one request. act_on_host asks, once in the life of the job, and waits for the end; its lines are the
// job's NOTICEs and are added to `story`. settle_host finds out what became of it when the bot or steward-host was restarted.
jobs::Item host_item(const host::Request& request);
boost::asio::awaitable<jobs::ItemOutcome> act_on_host(host::Request request, std::vector<std::string>& story, jobs::Progress& progress, command::Context& context);
boost::asio::awaitable<jobs::ItemOutcome> settle_host(host::Request request, std::vector<std::string>& story, jobs::Progress& progress, command::Context& context);
// The one item of such a job, its outcome as the receipt's title or the reason why it is not complete; `story` in its lines, and
// what Synapse says of itself afterwards.
boost::asio::awaitable<core::Result<jobs::Receipt>> run_on_host(host::Request request, jobs::Progress& progress, command::Context& context);

// Waits until the room has the job's message, a few seconds at most: soon nothing can be sent.
boost::asio::awaitable<void> until_told(jobs::Progress& progress, command::Context& context);
// "1.163.2", without what follows where Synapse runs from a checkout.
std::string release(const synapse::Version& version);
// "Synapse: 1.163.2, healthy", or that it is away and why.
boost::asio::awaitable<std::string> synapse_line(command::Context& context);

struct DumpFound {
  std::string name, kind;  // kind "": its head is of no dump
  core::Bytes size;
  std::chrono::seconds age{};
  std::string words() const;  // "synapse.dump, 5 h old, 1.2 GB, pg_dump custom format"
};
boost::asio::awaitable<core::Result<DumpFound>> newest_dump(command::Context& context);

struct DiskFigure { std::string place; core::Bytes size, free; };
// Of `actions.disk`: lines "size free place" in bytes, as `df -B1 --output=size,avail,target` prints them.
boost::asio::awaitable<core::Result<std::vector<DiskFigure>>> disk_figures(command::Context& context);
core::Result<std::vector<DiskFigure>> read_disk_figures(const std::vector<std::string>& lines);

}  // namespace steward::commands
