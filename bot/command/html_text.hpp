// What a formatted_body says as text, and where its links stand. Used by reading.cpp only: pills show a name and mean
// an id. Any input is fine: broken tags and entities are read as text. Pure, any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace steward::command {

struct HtmlLink {
  std::string target;  // href, entities decoded
  std::string shown;
  std::size_t start = 0;  // in HtmlText::text
};

struct HtmlText {
  std::string text;  // blocks and <br> as line breaks, a quoted reply left out
  std::vector<HtmlLink> links;
  std::optional<std::string> preformatted;  // inside of the first <pre>
};

HtmlText read_html(std::string_view html);

// What a link means on Matrix: https://matrix.to/#/… and matrix:… (specification, appendix "URIs"), percent-decoded
// once.
struct LinkTarget {
  std::string id;     // "@user:server", "!room", "#alias:server"
  std::string event;  // of a link to a message, else empty
};
std::optional<LinkTarget> read_link(std::string_view url);

}  // namespace steward::command
