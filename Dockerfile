# palsykit in a container: nothing is downloaded at run time, and the user is not root.
#   docker build -t palsykit .                                        # CPU
#   docker build -t palsykit:cuda --build-arg TORCH_INDEX= .          # with CUDA; run it with --gpus all
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
# PyTorch's own index has builds without CUDA, a tenth of the size. Empty: the build with CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
 && pip install --no-cache-dir -c /tmp/constraints.txt /tmp/wheels/*.whl \
 && rm -r /tmp/wheels /tmp/constraints.txt \
 && useradd --create-home palsykit
ENV HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PALSYKIT_CACHE=/tmp/palsykit-cache PYTHONUNBUFFERED=1
USER palsykit
WORKDIR /work
ENTRYPOINT ["palsykit"]
CMD ["doctor"]
