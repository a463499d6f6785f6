// Messages are built here and nowhere else: one structure gives the plain body and the HTML body, so that both say the
// same, every value is escaped, and only the tags that phones keep are used (a b strong i em u del code ul ol li pre
// blockquote p br). Used by commands, jobs, report, room. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.hpp"

namespace steward::matrix {

// A run of text inside a line. Values from outside (names, ids) are plain text here; escaping happens when rendering.
struct Span {
  enum class Style { plain, bold, code, link };
  Style style = Style::plain;
  std::string text;
  std::string url;  // of a link
};
using Text = std::vector<Span>;

Span plain(std::string text);
Span bold(std::string text);
Span code(std::string text);  // ids and values that must neither link nor ping
Span link(std::string text, std::string url);
Span pill(const core::UserId& user);  // matrix.to link, rings only with Message::mentions
// "Label: value" with the label bold.
Text field(std::string label, std::string value);

class Message {
 public:
  // A bold first line; it is also what notifications show.
  Message& title(Text text);
  Message& title(std::string text);
  Message& paragraph(Text text);
  Message& paragraph(std::string text);
  // Consecutive entries form one list. A `detail` is a second line under the entry.
  Message& entry(Text text, std::optional<Text> detail = std::nullopt);
  Message& entry(std::string text);
  Message& preformatted(std::string text);  // cut at 34 columns by callers (report/), shown as <pre><code>
  // Lines of the "Label: value" form: the part before the first ": " becomes bold.
  Message& lines(const std::vector<std::string>& lines);

  bool empty() const { return blocks_.empty(); }
  int line_count() const;
  std::string plain_body() const;
  std::string html_body() const;

 private:
  struct Block {
    enum class Kind { title, paragraph, entry, preformatted };
    Kind kind;
    Text text;
    std::optional<Text> detail;
  };
  std::vector<Block> blocks_;
};

// The JSON content of the events the bot sends (facts/matrix-protocol.md §3.1). m.mentions is always present.
struct Envelope {
  bool notice = true;  // m.notice; false: m.text, which can ring
  std::vector<core::UserId> mentions;
  core::EventId reply_to;
  core::EventId thread;  // root; the reply falls back to reply_to or the root
};
std::string message_content(const Message& message, const Envelope& envelope);
std::string edit_content(const Message& message, const Envelope& envelope, const core::EventId& edited);
// The outbox keeps the redacted event with the reason; the client puts the event into the path.
std::string redaction_content(const core::EventId& target, std::string_view reason);
std::string reaction_content(const core::EventId& target, std::string_view key);
struct FileInfo {
  std::string name, mxc, mimetype, caption;
  std::size_t size = 0;
  int width = 0, height = 0;  // of a picture, which clients show (m.image); 0: any other file
};
std::string file_content(const FileInfo& file, const Envelope& envelope);

// The content's size in bytes as federation counts it, and whether it may be sent (64 000, which leaves room for the
// fields of the event itself).
bool fits_in_event(std::string_view content);

}  // namespace steward::matrix
