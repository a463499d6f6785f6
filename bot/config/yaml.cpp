#include "config/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <sstream>

#include "core/text.hpp"

namespace steward::config {
namespace {

constexpr std::string_view quote_hint = "Values that hold @ ! # % * & ` or a colon with a space need \"quotes\".";

bool is_one_of(const std::string& word, const auto& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_boolean_word(const std::string& word) {
  constexpr std::array<std::string_view, 6> words{"true", "false", "yes", "no", "on", "off"};
  return is_one_of(core::to_lower_ascii(word), words);
}

// Wider than the number rules of YAML 1.1 (1_000, 0x1f, 1e3, 12:30, 2026-11-23): quotes never hurt.
bool reads_as_number(const std::string& word) {
  const bool digit = word.find_first_of("0123456789") != std::string::npos;
  if (digit && word.find_first_not_of("0123456789+-_.:eE") == std::string::npos) return true;
  return word.starts_with("0x") && word.find_first_not_of("0123456789abcdefABCDEF_", 2) == std::string::npos;
}

// Keeps where a document begins, nothing of what it holds.
class DocumentStart : public YAML::EventHandler {
 public:
  int line() const { return line_; }  // counted from one

  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int line_ = 0;
};

// Not by YAML::LoadAll: behind `""x`, a line feed and `? ` it finds documents without end until no memory is left.
std::optional<int> line_of_second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStart start;
  if (!parser.HandleNextDocument(start) || !parser.HandleNextDocument(start)) return std::nullopt;
  return start.line();
}

}  // namespace

core::Result<YAML::Node> read_yaml(std::string_view text) {
  if (!core::is_valid_utf8(text)) return core::fail(core::Code::bad_input, "the file is not UTF-8 text");
  try {
    const std::string copy(text);
    YAML::Node root = YAML::Load(copy);
    if (const auto second = line_of_second_document(copy)) {
      return core::fail(core::Code::bad_input, fmt::format("line {}: a second YAML document begins here", *second),
                        "only one is read", "Remove the \"---\", or what stands before this line outside of every key.");
    }
    return root;
  } catch (const YAML::Exception& error) {
    // Some messages end with the offending text, behind a colon: it may be a password that needed quotes.
    const std::string reason = error.msg.substr(0, error.msg.find(':'));
    return core::fail(core::Code::bad_input, fmt::format("line {}: this is not valid YAML", error.mark.line + 1),
                      reason, std::string(quote_hint));
  }
}

std::string line_of(const YAML::Node& node) { return fmt::format("line {}", node.Mark().line + 1); }

std::string kind_of(const YAML::Node& node) {
  if (lost_its_value(node)) return "nothing (a value that starts with ! needs \"quotes\")";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "keys and values";
  return node.IsScalar() ? "a single value" : "nothing";
}

bool lost_its_value(const YAML::Node& node) {
  const std::string& tag = node.Tag();
  return tag.size() > 1 && tag.front() == '!' && (!node.IsScalar() || node.Scalar().empty());
}

bool is_text_for_synapse(const YAML::Node& node) {
  if (!node.IsScalar()) return false;
  if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return true;
  constexpr std::array<std::string_view, 5> nothing{"", "~", "null", "Null", "NULL"};
  const std::string& word = node.Scalar();
  return !is_one_of(word, nothing) && !is_boolean_word(word) && !reads_as_number(word);
}

bool is_boolean_for_synapse(const YAML::Node& node) {
  return node.IsScalar() && node.Tag() != "!" && is_boolean_word(node.Scalar());
}

bool boolean_value(const YAML::Node& node) {
  constexpr std::array<std::string_view, 3> words{"true", "yes", "on"};
  return is_one_of(core::to_lower_ascii(node.Scalar()), words);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::vector<std::string> doubled_keys(const YAML::Node& map) {
  std::set<std::string> seen;
  std::vector<std::string> doubled;
  for (const auto& entry : map) {
    if (entry.first.IsScalar() && !seen.insert(entry.first.Scalar()).second) doubled.push_back(entry.first.Scalar());
  }
  return doubled;
}

}  // namespace steward::config
