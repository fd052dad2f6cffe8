# The program and nothing else. It wants the static binary of a release, or one built as docs/install.md
# says, beside this file:
#
#   docker build --build-arg BINARY=policy-orchestrator-x86_64-linux -t policy-orchestrator .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/workspace" policy-orchestrator run
#
# There is no shell in it, no package and no root: nothing to update but the program.
FROM scratch
ARG BINARY=policy-orchestrator-x86_64-linux
COPY --chmod=0755 ${BINARY} /policy-orchestrator
COPY LICENSE-MIT LICENSE-APACHE /licences/
ENV POLICY_WORKSPACE=/workspace
WORKDIR /workspace
USER 65532:65532
ENTRYPOINT ["/policy-orchestrator"]
CMD ["status"]
