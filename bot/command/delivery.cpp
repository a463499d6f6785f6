// How an answer reaches the room: its message, its pictures, its files, in this order. See dispatcher.hpp.
#include <fmt/format.h>

#include "command/dispatcher_state.hpp"
#include "command/offers.hpp"
#include "core/log.hpp"

namespace steward::command {

using boost::asio::awaitable;
using State = Dispatcher::State;

namespace {

constexpr std::size_t text_limit = 10000;  // characters in one message; more becomes a file (facts §3.4)

// A text that is too long for one message becomes a file behind its first line.
void shorten(Answer& answer) {
  const std::string plain = answer.message.plain_body();
  if (plain.size() <= text_limit) return;
  answer.files.push_back(File{"answer.txt", "text/plain", plain, "the whole answer"});
  matrix::Message shortened;
  shortened.title(plain.substr(0, std::min<std::size_t>(plain.find('\n'), 200)));
  shortened.paragraph("The answer is long; it is in the file.");
  answer.message = std::move(shortened);
}

}  // namespace

Deliver State::room_delivery(const matrix::Event& event) {
  matrix::Envelope envelope;
  envelope.reply_to = event.event_id;
  if (event.relation_type == "m.thread") envelope.thread = event.relates_to;
  return delivery("answer:" + event.event_id.str(), std::move(envelope), event.sender);
}

Deliver State::delivery(std::string cause, matrix::Envelope envelope, core::UserId sender) {
  return [this, envelope = std::move(envelope), sender = std::move(sender), cause = std::move(cause)](Answer answer) -> awaitable<void> {
    return deliver(cause, envelope, sender, std::move(answer));
  };
}

awaitable<void> State::deliver(std::string cause, matrix::Envelope envelope, core::UserId sender, Answer answer) {
  envelope.notice = !answer.rings;
  shorten(answer);
  if (!answer.message.empty()) {
    matrix::Envelope first = envelope;
    if (answer.rings && sender.str().starts_with('@')) first.mentions.push_back(std::move(sender));
    co_await room.say(cause, std::move(answer.message), std::move(first));
  }
  if (!answer.offers.empty()) {
    auto offering = [this, cause, offers = std::move(answer.offers)] { return put_offers(services, room, cause, offers); };
    group.spawn("offers", std::move(offering));
  }
  int number = 0;
  for (report::Chart& chart : answer.charts) {
    std::string chart_cause = fmt::format("{}:chart:{}", cause, ++number);
    co_await show_chart(std::move(chart_cause), std::move(chart), envelope);
  }
  number = 0;
  for (File& file : answer.files) {
    std::string file_cause = fmt::format("{}:file:{}", cause, ++number);
    auto sent = co_await room.send_file(std::move(file_cause), file.name, file.mimetype, file.data, file.caption, envelope);
    if (!sent) core::log_warning("dispatcher", "a file was not sent: {}", core::describe(sent.error()));
  }
}

awaitable<core::Result<void>> State::send_picture(std::string cause, const report::Chart& chart, matrix::Envelope envelope) {
  if (!draw) draw.emplace("draw");
  auto work = [copy = chart] { return report::draw(copy); };
  auto drawing = async::on_thread(*draw, std::move(work));
  auto picture = co_await std::move(drawing);
  if (!picture) co_return core::fail(picture.error());
  std::string file = chart.name + ".png", words = report::caption(chart);
  co_return co_await room.send_picture(std::move(cause), std::move(file), std::move(*picture), report::picture_width, report::picture_height,
                                       std::move(words), std::move(envelope));
}

awaitable<void> State::show_chart(std::string cause, report::Chart chart, matrix::Envelope envelope) {
  auto sent = co_await send_picture(cause, chart, envelope);
  if (sent) co_return;
  core::log_warning("dispatcher", "the chart {} is shown as text: {}", chart.name, core::describe(sent.error()));
  matrix::Message message;
  message.title(chart.title);
  message.preformatted(report::as_text(chart));
  co_await room.say(std::move(cause), std::move(message), std::move(envelope));
}

}  // namespace steward::command
