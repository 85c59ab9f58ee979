//! Calls: from outside, and from one module to another.
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Val;

use super::{Inner, no_function};
use crate::bytecode::{At, Fault};
use crate::call::{Asked, CallError, CallRequest, Cancel, Given, Gotten, Hop, Reply, Running, Stop};
use crate::context::{Calls, Context};
use crate::generation::Generation;
use crate::import::{Binding, Unbound, bind};
use crate::interface::{Agreed, Signature};
use crate::live::Turn;
use crate::program::{Callee, Export, How, LOAD_STATE, Program};
use crate::registry::Overlay;
use crate::typed::{self, Value};
use crate::value;

/// Longest time that a call can be given: no clock overflows.
const CALL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a call looks for the generation that its module's state is moving to.
const HAND_OVER_POLL: Duration = Duration::from_micros(200);
/// Stack that a call of another module needs at most, in bytes: what compiled code may use, and ours.
const STACK_NEEDED: usize = 1 << 20;
/// Stack that is added when there is less, in bytes.
const STACK_ADDED: usize = 4 << 20;

impl Inner {
    /// Calls a function for a client.
    pub(super) fn call<A>(
        &self,
        request: &CallRequest<A>,
        asked: Asked<'_>,
    ) -> Result<Reply<Gotten>, CallError> {
        let CallRequest { module, function, arguments: _, generation, time_max, cancel } = request;
        let began = Instant::now();
        let allowed = time_max.unwrap_or(self.config.call_max).min(CALL_MAX);
        loop {
            let pin = match generation {
                None => self.registry.pin(module),
                Some(number) => self.registry.pin_generation(module, *number),
            };
            let pin = pin.ok_or_else(|| match generation {
                Some(number) => CallError::NoGeneration { module: module.clone(), generation: *number },
                None => CallError::NotLoaded(module.clone()),
            })?;
            let callee = pin.program.callees().get(function).ok_or_else(|| no_function(&pin, function))?;
            callee.mark_used();
            let stop = Stop {
                deadline: began + allowed,
                time_max: allowed,
                caller: cancel.clone(),
                generations: vec![pin.stop.clone()],
                while_busy: self.config.while_busy,
            };
            let program = pin.program.current();
            let context = self.context_of(&pin, &stop, function);
            let outcome = match asked {
                Asked::As(given) => self.call_held(&pin, program, callee, given, &stop, context.as_ref()),
                Asked::Typed(values) => {
                    let call = |given: Given<'_>| {
                        self.call_held(&pin, program, callee, given, &stop, context.as_ref())
                    };
                    call_typed(callee, values, call)
                }
            };
            let results = match outcome {
                Ok(Some(results)) => Ok(results),
                Ok(None) if generation.is_some() => {
                    return Err(CallError::NoGeneration {
                        module: module.clone(),
                        generation: pin.staged.number,
                    });
                }
                // Its state is moving to another generation: there it is called, once that serves.
                Ok(None) => {
                    if let Some(reason) = stop.reason() {
                        return Err(reason);
                    }
                    std::thread::sleep(HAND_OVER_POLL);
                    continue;
                }
                Err(error) => Err(error),
            };
            // A deadline that the caller chose says nothing about the module.
            let failed = match &results {
                Err(CallError::DeadlineExceeded(_)) => time_max.is_none(),
                Err(error) => error.is_fault(),
                Ok(_) => false,
            };
            self.registry.count(&pin, failed, self);
            let elapsed = began.elapsed();
            callee.took(elapsed);
            return Ok(Reply {
                module: module.clone(),
                version: pin.staged.version.clone(),
                generation: pin.staged.number,
                tier: program.tier(),
                results: results?,
                elapsed,
            });
        }
    }

    /// The results, or `None` if the state has moved on.
    fn call_held(
        &self,
        pin: &Arc<Generation>,
        program: &Program,
        callee: &Callee,
        arguments: Given<'_>,
        stop: &Stop,
        context: Option<&Arc<Context>>,
    ) -> Result<Option<Gotten>, CallError> {
        if let (Some(native), How::Native { place }) = (pin.program.as_native(), &callee.how) {
            return native.call(*place, arguments, stop, context).map(Some);
        }
        let mut callee = callee;
        match (program.as_bytecode(), &callee.how) {
            (Some(bytecode), How::Bytecode(function)) => {
                let Export { name, signature, .. } = &callee.export;
                let unfit = |why| CallError::NotCallable {
                    function: name.clone(),
                    signature: signature.clone(),
                    why,
                };
                let at = At { stop, config: &self.config, context };
                let called = bytecode.call(name, function, &callee.signature, arguments, at);
                return called.map(Some).map_err(|fault| match fault {
                    Fault::Call(error) => error,
                    Fault::Arguments(message) => {
                        CallError::Arguments { function: name.clone(), signature: signature.clone(), message }
                    }
                    Fault::Results(why) => unfit(why),
                });
            }
            // What was compiled of bytecode has the same functions by the same names, in registers alone.
            (None, How::Bytecode(_)) => {
                let Export { name, signature, .. } = &callee.export;
                let fast = program.callees().get(name).ok_or_else(|| no_function(pin, name))?;
                if let Signature::Interface(ty) = &callee.signature
                    && !matches!(arguments, Given::Values(..))
                {
                    let unfit = |why| CallError::NotCallable {
                        function: name.clone(),
                        signature: signature.clone(),
                        why,
                    };
                    let values = match arguments {
                        Given::Text(text) => {
                            value::parse_interface(ty, text).map_err(|message| CallError::Arguments {
                                function: name.clone(),
                                signature: signature.clone(),
                                message,
                            })?
                        }
                        Given::Bytes(bytes) => vec![value::of_bytes(ty, bytes).map_err(unfit)?],
                        Given::Values(_, values) => values.to_vec(),
                    };
                    let agreed = Agreed::Interface(ty.clone());
                    let given = Given::Values(&agreed, &values);
                    let Some(Gotten::Values(mut results)) =
                        self.run(pin, program, fast, given, stop, context)?
                    else {
                        return Ok(None);
                    };
                    return Ok(Some(match arguments {
                        Given::Bytes(_) => Gotten::Bytes(value::to_bytes(results.pop()).map_err(unfit)?),
                        Given::Text(_) => Gotten::Text(value::render(&results).map_err(unfit)?),
                        Given::Values(..) => Gotten::Values(results),
                    }));
                }
                callee = fast;
            }
            (_, How::Core { .. } | How::Component { .. } | How::Native { .. }) => {}
        }
        self.run(pin, program, callee, arguments, stop, context)
    }

    /// Runs a function in an instance; `None` if the state has moved on.
    fn run(
        &self,
        pin: &Arc<Generation>,
        program: &Program,
        callee: &Callee,
        arguments: Given<'_>,
        stop: &Stop,
        context: Option<&Arc<Context>>,
    ) -> Result<Option<Gotten>, CallError> {
        let engine = self.compiler.engine().map_err(|error| CallError::Failed(error.to_string()))?;
        let threads = self.threads().map_err(|error| CallError::Failed(error.to_string()))?;
        let _ticking = threads.ticker.running();
        let Some(live) = &pin.live else {
            let mut running = Running::new(engine, program, &self.config, stop.clone(), context.cloned())?;
            return running.call(callee, arguments).map(Some);
        };
        let mut running = match live.take(stop)? {
            Turn::Yours(running) => running,
            Turn::Moved => return Ok(None),
        };
        running.rearm(stop.clone(), context.cloned());
        let outcome = running.call(callee, arguments);
        running.disarm();
        if outcome.as_ref().err().is_none_or(CallError::came_before_the_code) {
            live.give_back(running);
        } else {
            // What was interrupted is in no state to go on: it begins again from where it began.
            drop(running);
            match self.revive(pin, engine) {
                Ok(running) => live.give_back(Box::new(running)),
                Err(error) => live.give_up(error),
            }
        }
        outcome.map(Some)
    }

    /// A new instance with the state that the generation began with.
    pub(super) fn revive(
        &self,
        generation: &Generation,
        engine: &wasmtime::Engine,
    ) -> Result<Running, CallError> {
        let stop = self.stop(&Cancel::default(), &generation.stop);
        let context = self.inside(generation, &stop, "init");
        let program = &generation.program;
        let mut running = Running::new(engine, program, &self.config, stop, context)?;
        if let (Some(state), Some(hook)) = (generation.saved(), generation.program.hook(LOAD_STATE)) {
            running.load_state(hook, &state)?;
        }
        running.disarm();
        Ok(running)
    }

    /// What a client's call of `generation` carries.
    fn context_of(&self, generation: &Generation, stop: &Stop, function: &str) -> Option<Arc<Context>> {
        let program = &generation.program;
        program.bindings().iter().next()?;
        let snapshot = self.registry.snapshot(program.bindings(), &Overlay::new());
        let hop = Hop { module: generation.staged.module.clone(), function: function.to_owned() };
        self.context(program, Arc::new(snapshot), stop, hop, true)
    }

    /// The same for a function that the loader calls while a commit may wait for it.
    pub(super) fn inside(
        &self,
        generation: &Generation,
        stop: &Stop,
        function: &str,
    ) -> Option<Arc<Context>> {
        self.inside_with(generation, &Overlay::new(), stop, function)
    }

    /// The same, seeing what is about to serve.
    pub(super) fn inside_with(
        &self,
        generation: &Generation,
        overlay: &Overlay,
        stop: &Stop,
        function: &str,
    ) -> Option<Arc<Context>> {
        let snapshot = self.registry.snapshot(generation.program.bindings(), overlay);
        let hop = Hop { module: generation.staged.module.clone(), function: function.to_owned() };
        self.context(&generation.program, Arc::new(snapshot), stop, hop, false)
    }
}

impl Calls for Inner {
    fn call_import(
        &self,
        context: &Context,
        binding: &Binding,
        values: &[Val],
    ) -> Result<Vec<Val>, CallError> {
        if context.chain.len() >= self.config.call_depth_max {
            return Err(CallError::TooDeep(self.config.call_depth_max));
        }
        loop {
            let generation = self.target(context, binding)?;
            let (function, agreed) = fitting(context, binding, &generation)?;
            let Some(callee) = generation.program.callees().get(&function) else {
                return Err(no_function(&generation, &function));
            };
            if generation.live.is_some() && context.chain.iter().any(|hop| hop.module == binding.target) {
                return Err(CallError::Reentered(binding.target.clone()));
            }
            let mut stop = context.stop.clone();
            stop.generations.push(generation.stop.clone());
            let mut nested = Context { stop: stop.clone(), ..context.clone() };
            nested.chain.push(Hop { module: binding.target.clone(), function });
            let chain = nested.chain.clone();
            let nested = Some(Arc::new(nested));
            let program = generation.program.current();
            let outcome = stacker::maybe_grow(STACK_NEEDED, STACK_ADDED, || {
                let given = Given::Values(&agreed, values);
                self.call_held(&generation, program, callee, given, &stop, nested.as_ref())
            });
            let results = match outcome {
                Ok(Some(Gotten::Values(results))) => Ok(results),
                Ok(Some(Gotten::Text(_) | Gotten::Bytes(_) | Gotten::Typed(_))) => {
                    Err(CallError::Failed("values were answered with text".to_owned()))
                }
                // Its state has moved to another generation since this call began: there it is now.
                Ok(None) => {
                    if let Some(reason) = stop.reason() {
                        return Err(reason);
                    }
                    match self.registry.pin(&binding.target) {
                        Some(pin) => context.snapshot.put(pin),
                        None => return Err(absent(context, binding)),
                    }
                    std::thread::sleep(HAND_OVER_POLL);
                    continue;
                }
                Err(error) => Err(error),
            };
            let is_over = matches!(
                &results,
                Err(CallError::DeadlineExceeded(_) | CallError::Cancelled | CallError::Drained)
            );
            // A commit, which may be what calls, cannot wait for a rollback.
            if context.may_load {
                let failed = results.as_ref().err().is_some_and(CallError::is_fault) && !is_over;
                self.registry.count(&generation, failed, self);
            }
            return results.map_err(|error| match error {
                error @ CallError::Import { .. } => error,
                error if is_over => error,
                error => CallError::Import { chain, source: Box::new(error) },
            });
        }
    }

    fn agreed(&self, context: &Context, binding: &Binding) -> Result<Agreed, CallError> {
        let generation = self.target(context, binding)?;
        fitting(context, binding, &generation).map(|(_, agreed)| agreed)
    }
}

impl Inner {
    /// The generation that answers an import, loaded if it is one that is loaded when it is called.
    fn target(&self, context: &Context, binding: &Binding) -> Result<Arc<Generation>, CallError> {
        let Binding { target, linked, on_call, .. } = binding;
        if let Some(generation) = context.snapshot.get(target) {
            return Ok(generation);
        }
        if linked.is_none() {
            if self.registry.serving(target).is_none()
                && let Some(activation) = on_call
            {
                if !context.may_load {
                    let message = "a reload is under way".to_owned();
                    return Err(CallError::NotActivated { target: target.clone(), message });
                }
                self.activate(target, activation, &binding.options, &context.stop)?;
            }
            if let Some(pin) = self.registry.pin(target) {
                context.snapshot.put(pin);
            }
        }
        context.snapshot.get(target).ok_or_else(|| absent(context, binding))
    }
}

/// Calls a function with values of a client by way of `call`, in the form that suits its type.
fn call_typed(
    callee: &Callee,
    values: &[Value],
    call: impl Fn(Given<'_>) -> Result<Option<Gotten>, CallError>,
) -> Result<Option<Gotten>, CallError> {
    let Export { name, signature, .. } = &callee.export;
    if let Some(bytes) = typed::as_bytes(&callee.signature, values) {
        let given = match call(Given::Bytes(bytes))? {
            Some(Gotten::Bytes(bytes)) => typed::of_bytes(&callee.signature, bytes),
            Some(Gotten::Text(_) | Gotten::Values(_) | Gotten::Typed(_)) => {
                Err("bytes were answered otherwise".into())
            }
            None => return Ok(None),
        };
        return given.map(|value| Some(Gotten::Typed(vec![value]))).map_err(CallError::Failed);
    }
    if let Signature::Foreign(_) = &callee.signature {
        return Err(CallError::NotCallable {
            function: name.clone(),
            signature: signature.clone(),
            why: "its values belong to the module and cannot be passed".to_owned(),
        });
    }
    let (agreed, values) = typed::arguments(&callee.signature, values).map_err(|message| {
        CallError::Arguments { function: name.clone(), signature: signature.clone(), message }
    })?;
    match call(Given::Values(&agreed, &values))? {
        Some(Gotten::Values(values)) => {
            let values = typed::results(&agreed, values).map_err(CallError::Failed)?;
            Ok(Some(Gotten::Typed(values)))
        }
        Some(Gotten::Text(_) | Gotten::Bytes(_) | Gotten::Typed(_)) => {
            Err(CallError::Failed("values were answered otherwise".to_owned()))
        }
        None => Ok(None),
    }
}

/// The function that an import means in `generation`, and what both agree on.
fn fitting(
    context: &Context,
    binding: &Binding,
    generation: &Generation,
) -> Result<(String, Agreed), CallError> {
    let callees = generation.program.callees();
    if let Some((function, signature, agreed)) = &binding.linked
        && callees.get(function).is_some_and(|callee| callee.signature == *signature)
    {
        return Ok((function.clone(), agreed.clone()));
    }
    // It was loaded after its caller, or replaced by something else on purpose.
    let changed = |message| CallError::ImportChanged { module: importer(context), message };
    match bind(&binding.import, &binding.target, &generation.program.exports()) {
        Ok((function, signature, agreed)) => match &binding.linked {
            Some((_, before, linked)) if *linked != agreed => Err(changed(format!(
                "`{function}` of `{}` was linked as {before} and is {signature}",
                binding.target
            ))),
            Some(_) | None => Ok((function, agreed)),
        },
        Err(Unbound::Missing(message) | Unbound::Mismatch(message)) => Err(changed(message)),
    }
}

fn importer(context: &Context) -> crate::name::ModuleName {
    match context.chain.last() {
        Some(hop) => hop.module.clone(),
        None => crate::name::ModuleName::of_file(std::path::Path::new("unknown")),
    }
}

fn absent(context: &Context, binding: &Binding) -> CallError {
    CallError::NoImport {
        module: importer(context),
        function: binding.import.name.clone(),
        target: binding.target.clone(),
    }
}
