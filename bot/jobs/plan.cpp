#include "jobs/plan.hpp"

#include <nlohmann/json.hpp>

namespace steward::jobs {

using nlohmann::json;

namespace {

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json kept_json(const Kept& kept) {
  return {{"reason", kept.reason}, {"text", kept.text}, {"count", kept.count}, {"bytes", kept.bytes.count}, {"examples", kept.examples}};
}

Kept kept_from(const json& value) {
  return {.reason = value.at("reason").get<std::string>(),
          .text = value.at("text").get<std::string>(),
          .count = value.at("count").get<std::int64_t>(),
          .bytes = core::Bytes{value.at("bytes").get<std::int64_t>()},
          .examples = value.at("examples").get<std::vector<std::string>>()};
}

// The version stands first in each document, so that an older program can tell before it reads further.
core::Result<json> versioned(const std::string& text) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object() || value.value("version", json()).is_number_integer() == false)
    return core::fail(core::Code::protocol, "The stored plan cannot be read", "it is not a plan document");
  if (const int version = value["version"].get<int>(); version != plan_version)
    return core::fail(core::Code::protocol, "The stored plan cannot be read",
                      "it has version " + std::to_string(version) + ", this program knows " + std::to_string(plan_version),
                      "make the plan again with this version");
  return value;
}

}  // namespace

std::string encode_plan(const Plan& plan) {
  json kept = json::array();
  for (const Kept& one : plan.kept) kept.push_back(kept_json(one));
  return dump({{"version", plan_version},
               {"command", plan.command},
               {"title", plan.title},
               {"level", plan.level},
               {"level_reason", plan.level_reason},
               {"lines", plan.lines},
               {"kept", std::move(kept)},
               {"bytes", plan.bytes.count},
               {"bytes_exact", plan.bytes_exact},
               {"rows", plan.rows},
               {"word", plan.word},
               {"undo", plan.undo},
               {"locks", plan.locks},
               {"needs_writer", plan.needs_writer},
               {"own_update", plan.own_update},
               {"needs_synapse", plan.needs_synapse},
               {"changes_data", plan.changes_data},
               {"second_admin", plan.second_admin},
               {"parameters", plan.parameters}});
}

core::Result<Plan> decode_plan(const std::string& text) {
  auto value = versioned(text);
  if (!value) return core::fail(value.error());
  try {
    const json& document = *value;
    Plan plan;
    plan.command = document.at("command").get<std::string>();
    plan.title = document.at("title").get<std::string>();
    plan.level = document.at("level").get<int>();
    plan.level_reason = document.at("level_reason").get<std::string>();
    plan.lines = document.at("lines").get<std::vector<std::string>>();
    for (const json& one : document.at("kept")) plan.kept.push_back(kept_from(one));
    plan.bytes.count = document.at("bytes").get<std::int64_t>();
    plan.bytes_exact = document.at("bytes_exact").get<bool>();
    plan.rows = document.at("rows").get<std::int64_t>();
    plan.word = document.at("word").get<std::string>();
    plan.undo = document.at("undo").get<std::string>();
    plan.locks = document.at("locks").get<std::vector<std::string>>();
    plan.needs_writer = document.at("needs_writer").get<bool>();
    plan.own_update = document.value("own_update", "");  // not in the plans of older programs
    plan.needs_synapse = document.value("needs_synapse", true);  // plans of before it have none
    plan.changes_data = document.value("changes_data", true);
    plan.second_admin = document.at("second_admin").get<bool>();
    plan.parameters = document.at("parameters").get<std::map<std::string, std::string>>();
    return plan;
  } catch (const json::exception&) {
    return core::fail(core::Code::protocol, "The stored plan cannot be read", "a field is missing or has another type",
                      "make the plan again");
  }
}

std::string encode_receipt(const Receipt& receipt) {
  return dump({{"version", plan_version}, {"title", receipt.title}, {"lines", receipt.lines}, {"complete", receipt.complete}});
}

core::Result<Receipt> decode_receipt(const std::string& text) {
  auto value = versioned(text);
  if (!value) return core::fail(value.error());
  try {
    return Receipt{.title = value->at("title").get<std::string>(),
                   .lines = value->at("lines").get<std::vector<std::string>>(),
                   .complete = value->at("complete").get<bool>()};
  } catch (const json::exception&) {
    return core::fail(core::Code::protocol, "The stored receipt cannot be read", "a field is missing or has another type");
  }
}

}  // namespace steward::jobs
