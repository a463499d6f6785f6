#include "synapse/shared_secret.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.hpp"
#include "http/retry.hpp"
#include "http/url.hpp"

namespace steward::synapse {

using core::Code;
using nlohmann::json;

namespace {

std::string text_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

http::Refusal read_refusal(const std::string& body) {
  http::Refusal refusal;
  const json parsed = json::parse(body, nullptr, false);
  refusal.errcode = text_at(parsed, "errcode");
  refusal.text = text_at(parsed, "error");
  return refusal;
}

http::Call register_call(std::string method, std::string body, http::Repeat repeat) {
  http::Request request;
  request.method = std::move(method);
  request.target = http::target({"_synapse", "admin", "v1", "register"});
  request.body = std::move(body);
  return http::Call("register a temporary server admin", std::move(request), repeat);
}

// synapse/rest/admin/users.py UserRegisterServlet: the fields joined by NUL.
std::string mac_of(const core::Secret& secret, const std::string& nonce, const std::string& name, const std::string& password) {
  std::string message = nonce;
  for (const std::string& part : {name, password, std::string("admin")}) message += '\0' + part;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  ::HMAC(EVP_sha1(), secret.reveal().data(), static_cast<int>(secret.reveal().size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(), &length);
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string register_body(const core::Secret& secret, const std::string& nonce) {
  const std::string name = "steward-setup-" + core::to_lower_ascii(core::random_token(10));
  const std::string password = core::random_token(48);
  const json body = {{"nonce", nonce},       {"username", name},
                     {"password", password}, {"admin", true},
                     {"mac", mac_of(secret, nonce, name, password)}};
  return body.dump();
}

core::Error explained(core::Error error) {
  if (error.code == Code::not_found) {
    error.why = "this server has no registration by shared secret: its users live in the Matrix Authentication Service";
  } else if (error.code == Code::not_allowed || error.code == Code::rejected) {
    error.next = "Check that registration_shared_secret is the one the running Synapse has, or give --admin-token-file";
  }
  return error;
}

}  // namespace

boost::asio::awaitable<core::Result<TemporaryAdmin>> make_temporary_admin(http::Transport& transport,
                                                                         core::Secret shared_secret) {
  http::Call asking = register_call("GET", "", http::Repeat::freely);
  const auto challenge = co_await http::call(transport, std::move(asking), &read_refusal);
  if (!challenge) co_return core::fail(explained(challenge.error()));
  const std::string nonce = text_at(json::parse(challenge->body, nullptr, false), "nonce");
  if (nonce.empty()) {
    co_return core::fail(Code::protocol, "Could not register a temporary server admin", "the answer holds no nonce",
                         "Check homeserver.url: it must lead to Synapse itself");
  }
  http::Call making = register_call("POST", register_body(shared_secret, nonce), http::Repeat::only_unsent);
  const auto made = co_await http::call(transport, std::move(making), &read_refusal);
  if (!made) co_return core::fail(explained(made.error()));
  const json answer = json::parse(made->body, nullptr, false);
  const auto user = core::parse_user_id(text_at(answer, "user_id"));
  TemporaryAdmin admin;
  admin.token = core::Secret(text_at(answer, "access_token"));
  if (!user || admin.token.empty()) {
    co_return core::fail(Code::protocol, "Could not register a temporary server admin",
                         "the answer holds no user or token", "Check homeserver.url: it must lead to Synapse itself");
  }
  admin.user = *user;
  core::remember_secret(admin.token);
  co_return admin;
}

boost::asio::awaitable<core::Result<void>> retire(http::Transport& transport, TemporaryAdmin admin) {
  http::Request request;
  request.method = "POST";
  request.target = http::target({"_synapse", "admin", "v1", "deactivate", admin.user.str()});
  request.headers.emplace_back("Authorization", "Bearer " + admin.token.reveal());
  request.body = "{}";
  http::Call call("deactivate the temporary server admin " + admin.user.str(), std::move(request), http::Repeat::only_unsent);
  const auto answer = co_await http::call(transport, std::move(call), &read_refusal);
  if (!answer) co_return std::unexpected(answer.error());
  co_return core::Result<void>();
}

}  // namespace steward::synapse
