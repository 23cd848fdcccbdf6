# palsykit in a container: nothing is downloaded at run time, and the user is not root.
#   docker build -t palsykit .                                   # with CUDA, used if run with --gpus all; works without a GPU, too
#   docker build -t palsykit:cpu --build-arg TORCH=URL .         # URL of a wheel of torch without CUDA: a tenth of the size
#   docker run --rm --network none -v "$PWD:/work" --user "$(id -u):$(id -g)" palsykit generate --identity portrait.jpg \
#     --expression smile_full --side left --severity 5
ARG PYTHON=3.11
FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY palsykit palsykit
COPY plugins plugins
COPY recipes recipes
COPY splits splits
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG TORCH=torch
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt "$TORCH" \
 && pip install --no-cache-dir -c /tmp/constraints.txt /tmp/wheels/*.whl \
 && rm -r /tmp/wheels /tmp/constraints.txt \
 && useradd --create-home palsykit
ENV HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PALSYKIT_CACHE=/tmp/palsykit-cache PYTHONUNBUFFERED=1
USER palsykit
WORKDIR /work
ENTRYPOINT ["palsykit"]
CMD ["doctor"]
