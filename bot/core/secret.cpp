#include "core/secret.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <vector>

namespace steward::core {
namespace {

constexpr std::string_view masked = "***";
constexpr std::size_t shortest_masked = 4;  // a shorter secret would blank ordinary words everywhere

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest(std::string_view data) {
  Digest result{};
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), result.data());
  return result;
}

struct Known {
  std::shared_mutex mutex;
  std::vector<std::string> secrets;  // longest first, so that a secret inside another leaves no rest
};
Known& known() {
  static Known instance;
  return instance;
}

void replace_all(std::string& text, const std::string& secret) {
  for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += masked.size()) {
    text.replace(at, secret.size(), masked);
  }
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

// Where the value that starts at `at` ends; a quoted one at its quote.
std::size_t value_end(const std::string& text, std::size_t at) {
  if (at < text.size() && (text[at] == '\'' || text[at] == '"')) {
    const auto end = text.find(text[at], at + 1);
    return end == std::string::npos ? text.size() : end;
  }
  return std::min(text.find_first_of(" \t\r\n&\"',;<>)}", at), text.size());
}

// key=value and "key": "value"
void mask_values_of(std::string& text, std::string_view key) {
  for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos;) {
    at += key.size();
    std::size_t mark = at;
    if (mark < text.size() && text[mark] == '"') ++mark;
    while (mark < text.size() && text[mark] == ' ') ++mark;
    if (mark >= text.size() || (text[mark] != '=' && text[mark] != ':')) continue;
    const bool colon = text[mark] == ':';
    ++mark;
    while (mark < text.size() && text[mark] == ' ') ++mark;
    const bool quoted = mark < text.size() && (text[mark] == '"' || text[mark] == '\'');
    if (colon && !quoted) continue;  // "as_token: missing" is a sentence
    const std::size_t end = value_end(text, mark);
    const std::size_t start = quoted ? mark + 1 : mark;
    if (end <= start) continue;
    text.replace(start, end - start, masked);
    at = start + masked.size();
  }
}

// "Bearer abc", "syt_abc": `start` is the first part, of which `keep` characters stay.
void mask_words_after(std::string& text, std::string_view start, std::size_t keep) {
  for (std::size_t at = 0; (at = text.find(start, at)) != std::string::npos;) {
    const std::size_t from = at + keep;
    const bool whole_word = at == 0 || !is_word(text[at - 1]);
    std::size_t end = at + start.size();
    while (end < text.size() && (is_word(text[end]) || text[end] == '.' || text[end] == '=' || text[end] == '/')) ++end;
    at += start.size();
    if (!whole_word || end - at < 6) continue;
    text.replace(from, end - from, masked);
    at = from + masked.size();
  }
}

// "postgresql://user:password@host"
void mask_url_passwords(std::string& text) {
  for (std::size_t at = 0; (at = text.find("://", at)) != std::string::npos;) {
    at += 3;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\"'<>", at), text.size());
    const std::size_t stop = std::min(text.find_first_of("/?#", at), end);
    const std::size_t host = text.rfind('@', stop);
    if (host == std::string::npos || host < at) continue;
    const std::size_t colon = text.find(':', at);
    if (colon == std::string::npos || colon >= host) continue;
    text.replace(colon + 1, host - colon - 1, masked);
    at = colon + 1 + masked.size();
  }
}

}  // namespace

bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  const bool same_size = given.size() == secret.size();
  const std::string_view other = same_size ? secret : given;
  return (CRYPTO_memcmp(given.data(), other.data(), given.size()) == 0) && same_size;
}

std::string sha256_hex(std::string_view data) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest(data)) {
    hex += digits[byte >> 4U];
    hex += digits[byte & 0x0fU];
  }
  return hex;
}

std::string random_token(std::size_t characters) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr unsigned fair = 256 / 62 * 62;  // bytes from here on would make the first letters likelier
  std::string token;
  while (token.size() < characters) {
    std::array<unsigned char, 64> bytes{};
    // Without a generator there are no safe tokens: nothing above can go on.
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw std::runtime_error("no random numbers");
    for (const unsigned char byte : bytes) {
      if (byte < fair && token.size() < characters) token += alphabet[byte % alphabet.size()];
    }
  }
  return token;
}

void remember_secret(const Secret& secret) {
  if (secret.reveal().size() < shortest_masked) return;
  const std::unique_lock lock(known().mutex);
  auto& secrets = known().secrets;
  if (std::find(secrets.begin(), secrets.end(), secret.reveal()) != secrets.end()) return;
  const auto place = std::find_if(secrets.begin(), secrets.end(),
                                  [&](const std::string& other) { return other.size() < secret.reveal().size(); });
  secrets.insert(place, secret.reveal());
}

std::string without_secrets(std::string_view text) {
  std::string clean(text);
  {
    const std::shared_lock lock(known().mutex);
    for (const std::string& secret : known().secrets) replace_all(clean, secret);
  }
  for (const std::string_view key :
       {"access_token", "password", "passwd", "as_token", "hs_token", "admin_token", "secret"}) {
    mask_values_of(clean, key);
  }
  for (const std::string_view start : {"syt_", "mct_", "mcr_"}) mask_words_after(clean, start, 0);
  mask_words_after(clean, "Bearer ", 7);
  mask_url_passwords(clean);
  return clean;
}

}  // namespace steward::core
