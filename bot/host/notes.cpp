#include "host/notes.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>

namespace steward::host {

std::chrono::seconds now() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()); }

std::optional<std::string> Notes::get(const std::string& name) const {
  std::ifstream file(folder_ + "/" + name);
  std::string text;
  if (!file || !std::getline(file, text)) return std::nullopt;
  return text;
}

core::Result<void> Notes::put(const std::string& name, const std::string& text) {
  const std::string path = folder_ + "/" + name, beside = path + ".new";
  std::error_code error;
  {
    std::ofstream file(beside, std::ios::trunc);
    file << text << '\n' << std::flush;
    if (!file) return core::fail(core::Code::unavailable, "The state folder " + folder_ + " cannot be written");
  }
  std::filesystem::rename(beside, path, error);
  if (error) return core::fail(core::Code::unavailable, "The state folder " + folder_ + " cannot be written", error.message());
  return {};
}

void Notes::erase(const std::string& name) {
  std::error_code ignored;
  std::filesystem::remove(folder_ + "/" + name, ignored);
}

std::optional<std::chrono::seconds> Notes::time(const std::string& name) const {
  const auto text = get(name);
  if (!text) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace steward::host
