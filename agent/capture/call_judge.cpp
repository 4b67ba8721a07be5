#include "agent/capture/call_judge.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "agent/bedrock/content_coding.h"
#include "agent/bedrock/json_text.h"
#include "storage/json_writer.h"

namespace invlog::capture {
namespace {

using residency::Decision;

// More than one is no honest request, but each that might count is judged. Of more than these only
// the last: whoever reads a member that stands there often takes the first or the last.
constexpr std::size_t kMostModels = 8;
constexpr std::size_t kMostTold = 256;
// What a compressed body may become here without a policy, in bytes, while all other calls wait: a
// small one can grow a thousandfold. In one that becomes more, the model cannot be read; a policy
// must not be got around by that, so it reads all that the record can.
constexpr std::size_t kMostDecodedUnjudged = 4 << 20;

// Deny over flag over allow.
int severity(Decision decision) {
  return decision == Decision::deny ? 2 : decision == Decision::flag ? 1 : 0;
}

bool names_model_in_body(const RequestHead& request, const std::optional<bedrock::Target>& target) {
  return target || (request.method == "POST" && bedrock::is_async_invoke(request.target));
}

// What its body says nobody can tell, so it may be of any model.
bool may_name_model(const RequestHead& request) {
  return request.method == "POST" && !bedrock::is_without_model(request.target);
}

// A body that is there, but not as what its coding says, comes here as none.
bool lost_its_body(const RequestHead& request, const std::string& body) {
  return body.empty() &&
         bedrock::has_content_coding(bedrock::joined_header(request.headers, "content-encoding"));
}

}  // namespace

CallJudge::CallJudge(config::PolicyConfig policy, std::string source_region)
    : policy_(std::make_shared<const residency::Policy>(std::move(policy))),
      source_region_(std::move(source_region)),
      json_(std::make_unique<bedrock::JsonText>()) {}

CallJudge::~CallJudge() = default;

void CallJudge::set_policy(config::PolicyConfig policy) {
  policy_ = std::make_shared<const residency::Policy>(std::move(policy));
  told_.clear();
}

std::string CallJudge::coding_to_undo(const residency::Policy& policy, const RequestHead& request,
                                      const std::optional<bedrock::Target>& target,
                                      const std::string& body) {
  if (body.empty() || (!target && !policy.given()) || bedrock::model_in_target(request.target)) {
    return "";
  }
  std::string coding = bedrock::joined_header(request.headers, "content-encoding");
  return bedrock::has_content_coding(coding) ? coding : "";
}

std::size_t CallJudge::most_decoded(const residency::Policy& policy) {
  return policy.given() ? bedrock::kMaximumDecodedBody : kMostDecodedUnjudged;
}

Judgement CallJudge::judge(const residency::Policy& policy, const RequestHead& request,
                           const std::optional<bedrock::Target>& target, const std::string& caller,
                           std::string& body) {
  if (!target && !policy.given()) {
    return {};
  }
  Judgement strictest;
  for (const std::string& model_id : models_of(request, target, body)) {
    Judgement judgement = judge_model(policy, model_id, caller);
    if (strictest.residency.decision.empty() ||
        severity(judgement.decision) > severity(strictest.decision)) {
      strictest = std::move(judgement);
    }
  }
  return strictest;
}

std::vector<std::string> CallJudge::models_of(const RequestHead& request,
                                              const std::optional<bedrock::Target>& target,
                                              std::string& body) {
  if (auto model = bedrock::model_in_target(request.target)) {
    return {std::move(*model)};
  }
  std::optional<std::vector<std::string>> models;
  if (!lost_its_body(request, body)) {
    models = models_in(body);
  }
  const bool unread = !models && may_name_model(request);
  std::vector<std::string> named = std::move(models).value_or(std::vector<std::string>());
  if (named.empty() && (unread || names_model_in_body(request, target))) {
    named.emplace_back();  // it names one that cannot be read
  }
  return named;
}

// Empty: it is no JSON. The service may read a member that stands there twice either way, so all of
// them count; so does one whose name is no text (half a surrogate pair), as a model that cannot be
// read: whoever drops what is no character may find a name in the rest.
std::optional<std::vector<std::string>> CallJudge::models_in(std::string& body) {
  std::vector<std::string> models;
  if (body.empty()) {
    return models;
  }
  bedrock::JsonText::pad(body);
  const bool readable = json_->parse_padded(body);
  if (const auto object = readable ? json_->object() : std::nullopt) {
    bedrock::each_member(*object, [&](std::string_view name, bedrock::JsonText::Value value) {
      const bool unreadable = !simdjson::validate_utf8(name.data(), name.size());
      if (unreadable || name == "model" || name == "modelId") {
        std::string model(unreadable ? "" : bedrock::json_string(value).value_or(""));
        if (std::find(models.begin(), models.end(), model) == models.end()) {
          models.resize(std::min(models.size(), kMostModels - 1));
          models.push_back(std::move(model));
        }
      }
    });
  }
  json_->trim();
  return readable ? std::optional(std::move(models)) : std::nullopt;
}

std::string CallJudge::event_of(const Judgement& judgement, const std::string& target) {
  if (told_.size() >= kMostTold || !told_.insert(judgement.reason).second) {
    return "";
  }
  std::string details = "{";
  storage::append_json_member(details, "rule", judgement.residency.rule);
  storage::append_json_member(details, "reason", judgement.reason);
  // Not its query: a presigned URL has a signature there.
  storage::append_json_member(details, "target",
                              std::string_view(target).substr(0, target.find('?')));
  return details + "}";
}

Judgement CallJudge::judge_model(const residency::Policy& policy, const std::string& model_id,
                                 const std::string& caller) const {
  const residency::Classification classification =
      residency::classify(model_id, source_region_, profiles_);
  residency::Verdict verdict = policy.judge(model_id, classification, caller);
  Judgement judgement;
  judgement.decision = verdict.decision;
  judgement.reason = std::move(verdict.reason);
  judgement.residency = {std::string(to_string(classification.scope)), classification.profile,
                         classification.destinations_text(),
                         std::string(to_string(verdict.decision)), ""};
  if (verdict.decision != Decision::allow) {
    judgement.residency.rule = std::move(verdict.rule);
  }
  return judgement;
}

}  // namespace invlog::capture
