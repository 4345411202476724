# The course in a container, for Binder (repo2docker takes this file) and for a hub: not as root, and without a GPU.
#     docker build -t optimizer-course .
#     docker run --rm -p 127.0.0.1:8888:8888 optimizer-course
FROM python:3.12-slim-bookworm

ARG NB_USER=student
ARG NB_UID=1000
RUN useradd --create-home --uid ${NB_UID} ${NB_USER}
USER ${NB_USER}
ENV HOME=/home/${NB_USER}
ENV PATH=${HOME}/.local/bin:${PATH} COURSE_DATA=photos COURSE_IP=0.0.0.0 OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
WORKDIR ${HOME}/course

# The wheel index of torch has CPU builds (0.2 GB in place of several); name it where the builder can reach it.
ARG TORCH_INDEX=
RUN if [ -n "${TORCH_INDEX}" ]; then pip install --no-cache-dir --index-url "${TORCH_INDEX}" torch torchvision; fi
COPY --chown=${NB_USER} . .
RUN pip install --no-cache-dir -e ".[course]" jupyterhub

EXPOSE 8888
CMD ["jupyter", "lab", "--config=jupyter_lab_config.py", "--no-browser"]
