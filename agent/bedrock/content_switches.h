// The delivery switches of AWS's own invocation logging (text, image, embedding, video, audio),
// applied to a JSON body: content of a kind that is switched off gives way to an omission().
//
// Which value is of which kind follows from the names and types around it, those of Converse, of
// the models of Anthropic, Amazon, Cohere, Stability, Meta, Mistral, TwelveLabs, and of OpenAI's
// form: a member "image", a block of type "input_audio", an "embedding", a data: URL; where nothing
// else says so, what is encoded beside a MIME type in the same object is of that. Documents,
// tools and what they are given count as text, and so does every string that nothing else is known
// about, but for names and identifiers (role, type, id, stop reason). Members that hold whatever
// the application likes (a tool's input, metadata, a document of any members) have no such names:
// they are omitted as one. Sources: facts/bedrock.md §1; the vendors' schemas.
//
// Thread: const; any. Errors: TooManyEdits; what cannot be told apart is omitted rather than kept.
#pragma once

#include <string_view>
#include <vector>

#include "agent/bedrock/json_tree.h"
#include "agent/bedrock/text_redactor.h"

namespace invlog::bedrock {

struct ContentSwitches {
  bool text = true, image = true, embedding = true, video = true, audio = true;
  bool all_on() const { return text && image && embedding && video && audio; }

  // Appends edits of the tree's text and marks the nodes they replace. False: with text switched
  // off, and a body of no known form: it must be replaced as a whole.
  bool omit(JsonTree& tree, std::vector<TextEdit>& edits, RuleCounts* counts) const;
};

}  // namespace invlog::bedrock
